import { describe, expect, it } from 'vitest';
import type { TabErrorCode } from '../../../lib/errors/codes.js';
import type { TabRequest } from '../../../lib/token/request.js';
import {
  aKey,
  aRequest,
  aToken,
  aWorld,
  claimKeyOf,
  CREDENTIAL,
  NOW,
  outcomeOf,
  requiring,
  SESSION_ID,
  sha,
  type Members,
  type World,
} from '../../utils/core/index.js';
import { CountingNonces } from './counting-nonces.js';

const BODY = '{"amount":1}';
const JTI = 'j'.repeat(22);

/** What goes into one request; each break spoils one thing. */
interface Draft {
  tokens: 0 | 1 | 2;
  key: ReturnType<typeof aKey>;
  header: Members;
  claims: Members;
  signature: Uint8Array | undefined;
  body: string;
  prepare: (() => Promise<unknown>)[];
}

function draft(world: World): Draft {
  const claims = {
    jti: JTI,
    nonce: world.challenge(),
    htm: 'POST',
    htu: 'https://api.example.com/transfers',
    qsh: sha('a=1'),
    bh: sha(BODY),
    ct: 'application/json',
    ath: sha(CREDENTIAL),
    sid: SESSION_ID,
  };
  return { tokens: 1, key: world.key, header: {}, claims, signature: undefined, body: BODY, prepare: [] };
}

const evidence = (change: Members) => ({ at: 0, found: [], clear: ['root', 'debugger'], sdk: 'x/1', ...change });

type Break = readonly [step: string, code: TabErrorCode, spoil: (draft: Draft, world: World) => void];

/** In the order of PROTOCOL section 6. */
const BREAKS: readonly Break[] = [
  ['1 no token', 'missing_token', (d) => (d.tokens = 0)],
  ['1 two tokens', 'malformed_token', (d) => (d.tokens = 2)],
  ['1 header', 'malformed_token', (d) => (d.header.typ = 'JWT')],
  ['1 claims', 'malformed_token', (d) => (d.claims.app = { id: 'com.example.app' })],
  ['2 time', 'stale_token', (d) => (d.claims.iat = NOW - 100)],
  ['2 end', 'stale_token', (d) => (d.claims.exp = d.claims.iat ?? NOW)],
  ['2 method', 'request_mismatch', (d) => (d.claims.htm = 'PUT')],
  ['2 target', 'request_mismatch', (d) => (d.claims.htu = 'https://api.example.com/')],
  ['2 query', 'request_mismatch', (d) => delete d.claims.qsh],
  ['2 presence of bh', 'request_mismatch', (d) => (delete d.claims.bh, delete d.claims.ct)],
  ['2 credential', 'request_mismatch', (d) => (d.claims.ath = sha('another'))],
  ['2 challenge', 'use_tab_nonce', (d) => (d.claims.nonce = 'A'.repeat(64))],
  ['3 instance', 'unknown_instance', (d) => (d.key = aKey('ES256', 'stranger'))],
  ['3 algorithm', 'unsupported_alg', (d) => (d.header.alg = 'ES384')],
  ['3 signature', 'bad_signature', (d) => (d.signature = Buffer.alloc(64, 1))],
  ['3 content', 'request_mismatch', (d) => (d.body = '{"amount":9}')],
  [
    '4 instance',
    'instance_suspended',
    (d, w) => d.prepare.push(() => w.settings.bindings.suspend(w.key.id, { reason: 'x', at: NOW - 1 }, [])),
  ],
  ['4 app', 'request_mismatch', (d) => (d.claims.app = { id: 'com.example.other', ver: '1.0.0' })],
  ['4 session', 'invalid_session', (d) => (d.claims.sid = 'u'.repeat(32))],
  ['5 policy', 'insufficient_trust', (d) => (d.claims.rt = evidence({ at: NOW - 200, found: ['vpn'] }))],
  [
    '6 claim',
    'replayed_token',
    (d, w) => d.prepare.push(() => w.settings.nonces.claim(claimKeyOf(`jti.${w.key.id}.${JTI}`), NOW + 180)),
  ],
];

function requestOf({ tokens, key, header, claims, signature, body }: Draft): TabRequest {
  const token = aToken({
    key,
    header,
    claims: { rt: evidence({ at: NOW - 200 }), ...claims },
    ...(signature && { signature }),
  });
  const headers = ['Content-Type', 'application/json', 'Authorization', `Bearer ${CREDENTIAL}`];
  return aRequest({
    method: 'POST',
    target: '/transfers?a=1',
    content: body,
    headers: [...headers, ...Array.from({ length: tokens }, () => ['TAB-Token', token]).flat()],
  });
}

async function outcomeOfBreaks(breaks: readonly Break[]) {
  const nonces = new CountingNonces();
  const world = await aWorld({ nonces }, { session: true });
  const made = draft(world);
  for (const [, , spoil] of breaks.toReversed()) spoil(made, world);
  for (const each of made.prepare) await each();
  const prepared = nonces.calls.length;
  const before = await world.settings.bindings.load({ instanceId: world.key.id, sessionId: SESSION_ID });
  const verification = await world.verifier.verify(requestOf(made), requiring({ session: 'required' }));
  const after = await world.settings.bindings.load({ instanceId: world.key.id, sessionId: SESSION_ID });
  expect(after).toEqual(before);
  return { verification, code: outcomeOf(verification), claims: nonces.calls.length - prepared };
}

describe('the order of checks', () => {
  it('accepts with nothing broken', async () => {
    const { code, claims } = await outcomeOfBreaks([]);
    expect({ code, claims }).toEqual({ code: 'accepted', claims: 1 });
  });

  it.each(BREAKS)('%s alone: %s', async (_step, code, spoil) =>
    expect((await outcomeOfBreaks([[_step, code, spoil]])).code).toBe(code),
  );

  it.each(BREAKS.map(([step, code], i) => [step, code, i] as const))(
    '%s with everything after it: %s',
    async (_step, code, i) => expect((await outcomeOfBreaks(BREAKS.slice(i))).code).toBe(code),
  );

  it.each(BREAKS.filter(([step]) => /^[123]/.test(step)))('%s spends nothing', async (_step, code, spoil) =>
    expect((await outcomeOfBreaks([[_step, code, spoil]])).claims).toBe(0),
  );

  it.each(BREAKS.filter(([step]) => /^[456]/.test(step)))(
    '%s spends at most the one claim of the token',
    async (_step, code, spoil) => expect((await outcomeOfBreaks([[_step, code, spoil]])).claims).toBe(1),
  );

  it('records what was proven and nothing more', async () => {
    for (const [step, code, spoil] of BREAKS) {
      const { decision } = (await outcomeOfBreaks([[step, code, spoil]])).verification;
      expect(decision).toMatchObject({ outcome: 'refused', code });
      const signatureHeld = /^[456]/.test(step) || step === '3 content';
      expect('instanceId' in decision, step).toBe(signatureHeld);
      expect('sessionId' in decision, step).toBe(/^[56]/.test(step));
    }
  });
});

describe('an app that is no longer registered', () => {
  it('is refused by policy', async () => {
    const world = await aWorld({ apps: new Map() });
    expect(outcomeOf(await world.verify())).toBe('insufficient_trust');
  });
});
