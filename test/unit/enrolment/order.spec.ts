import { describe, expect, it } from 'vitest';
import { AttestationError } from '../../../lib/attestation/attestation-error.js';
import type { TabErrorCode } from '../../../lib/errors/codes.js';
import { aKey, claimKeyOf, codeOf, NOW } from '../../utils/core/index.js';
import { Enrolments, type AttemptParts } from './attempt.js';

/** One thing spoiled: parts of the request, or something prepared on the server. */
interface Spoil {
  readonly parts?: AttemptParts;
  readonly prepare?: (server: Enrolments, nonce: string) => unknown;
}
type Break = readonly [step: string, code: TabErrorCode, spoil: Spoil];

/** In the order of PROTOCOL section 5. */
const BREAKS: readonly Break[] = [
  ['structure: token', 'malformed_token', { parts: { header: { typ: 'tab+jwt' } } }],
  ['structure: claims', 'malformed_token', { parts: { claims: { app: 1 } } }],
  ['structure: body', 'attestation_rejected', { parts: { body: { attestation: 1 } } }],
  ['time', 'stale_token', { parts: { claims: { iat: NOW - 100, rt: { at: 0, found: [], clear: [], sdk: 'x/1' } } } }],
  ['target', 'request_mismatch', { parts: { claims: { htu: 'https://api.example.com/tab' } } }],
  ['app of body and token', 'request_mismatch', { parts: { app: { ver: '1.4.1' } } }],
  ['challenge', 'use_tab_nonce', { parts: { claims: { nonce: 'A'.repeat(64) } } }],
  ['signature', 'bad_signature', { parts: { signature: Buffer.alloc(64, 1) } }],
  ['content', 'request_mismatch', { parts: { claims: { bh: 'x' } } }],
  ['platform', 'attestation_rejected', { parts: { app: { platform: 'ios' } } }],
  [
    'known key',
    'instance_revoked',
    {
      prepare: async (server) => {
        await server.enrol();
        await server.settings.bindings.revoke(aKey().id, { reason: 'x', at: NOW });
      },
    },
  ],
  [
    'evidence',
    'attestation_rejected',
    {
      prepare: (server) => {
        server.attester.onExamine = () => {
          throw new AttestationError('chain', 'x');
        };
      },
    },
  ],
  [
    'challenge spent',
    'use_tab_nonce',
    { prepare: (server, nonce) => server.settings.nonces.claim(claimKeyOf(`challenge.${nonce}`), NOW + 360) },
  ],
  [
    'calls to others',
    'attestation_rejected',
    {
      prepare: (server) => {
        server.attester.onFinish = () => {
          throw new AttestationError('status', 'x');
        };
      },
    },
  ],
];

async function attempt(breaks: readonly Break[]) {
  const server = new Enrolments();
  const nonce = server.challenge();
  for (const [, , { prepare }] of breaks) await prepare?.(server, nonce);
  const before = await server.stored();
  const [claimed, finished] = [server.nonces.calls.length, server.attester.finished];
  const merged = breaks.map(([, , { parts }]) => parts ?? {}).toReversed();
  const merge = (member: 'claims' | 'header' | 'body' | 'app') =>
    Object.assign({}, ...merged.map((parts) => parts[member])) as Record<string, unknown>;
  const signature = merged.find((parts) => parts.signature)?.signature;
  const parts = {
    claims: { nonce, ...merge('claims') },
    header: merge('header'),
    body: merge('body'),
    app: merge('app'),
    ...(signature && { signature }),
  };
  const code = await codeOf(() => server.enrol(parts));
  const unchanged = JSON.stringify(await server.stored()) === JSON.stringify(before);
  return {
    code,
    unchanged,
    claims: server.nonces.calls.length - claimed,
    finished: server.attester.finished - finished,
  };
}

describe('the order of an enrolment', () => {
  it('goes through with nothing broken', async () =>
    expect(await attempt([])).toEqual({ code: 'accepted', unchanged: false, claims: 1, finished: 1 }));

  it.each(BREAKS)('%s alone: %s', async (step, code, spoil) =>
    expect((await attempt([[step, code, spoil]])).code).toBe(code),
  );

  it.each(BREAKS.map(([step, code], i) => [step, code, i] as const))(
    '%s with everything after it: %s, and nothing is changed',
    async (step, code, i) => {
      const after = await attempt(BREAKS.slice(i));
      expect(after).toMatchObject({ code, unchanged: true });
      expect(after.claims, 'claims').toBe(['challenge spent', 'calls to others'].includes(step) ? 1 : 0);
      expect(after.finished, 'calls to others').toBe(step === 'calls to others' ? 1 : 0);
    },
  );
});
