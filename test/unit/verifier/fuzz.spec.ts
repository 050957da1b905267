import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TabRequest } from '../../../lib/token/request.js';
import {
  aRequest,
  aToken,
  aWorld,
  CREDENTIAL,
  NOW,
  outcomeOf,
  requiring,
  SESSION_ID,
  sha,
} from '../../utils/core/index.js';

const REQUIRED = requiring({ session: 'required' });
const BODY = '{"amount":1}';
const HEADERS = ['Content-Type', 'application/json', 'Authorization', `Bearer ${CREDENTIAL}`];

async function theWorld() {
  const world = await aWorld({}, { session: true });
  const claims = {
    nonce: world.challenge(),
    htm: 'POST',
    htu: 'https://api.example.com/transfers',
    qsh: sha('a=1'),
    bh: sha(BODY),
    ct: 'application/json',
    ath: sha(CREDENTIAL),
    sid: SESSION_ID,
  };
  const call = (token: string): TabRequest =>
    aRequest({ method: 'POST', target: '/transfers?a=1', content: BODY, headers: [...HEADERS, 'TAB-Token', token] });
  return { world, claims, call };
}
const json = fc.jsonValue({ maxDepth: 2 });
const odd = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, '', 0, -1, 1.5, 2 ** 53, NOW, [], {}, true, 'none', '__proto__'),
  json,
);

describe('random changes of valid tokens and requests are never accepted and never throw', () => {
  it('unchanged it is accepted', async () => {
    const { world, claims, call } = await theWorld();
    expect(outcomeOf(await world.verifier.verify(call(aToken({ claims })), REQUIRED))).toBe('accepted');
  });

  it('characters of the token', async () => {
    const { world, claims, call } = await theWorld();
    const token = aToken({ claims });
    const edit = fc.record({
      at: fc.nat(token.length - 1),
      cut: fc.nat(3),
      put: fc.string({ maxLength: 3, unit: fc.constantFrom(...'AZaz09-_.=+/ ,\n\0é'.split('')) }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        const changed = edits.reduce((text, { at, cut, put }) => text.slice(0, at) + put + text.slice(at + cut), token);
        fc.pre(changed !== token);
        expect(outcomeOf(await world.verifier.verify(call(changed), REQUIRED))).not.toBe('accepted');
      }),
      { seed: 11, numRuns: 1500 },
    );
    expect(outcomeOf(await world.verifier.verify(call(token), REQUIRED))).toBe('accepted');
  });

  it('members of a header that is signed', async () => {
    const { world, claims, call } = await theWorld();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('typ', 'alg', 'kid', 'jwk', 'jku', 'x5c', 'x5u', 'crit', 'b64'),
        odd,
        async (member, value) => {
          fc.pre(!(value === undefined && !['typ', 'alg', 'kid'].includes(member)));
          expect(
            outcomeOf(await world.verifier.verify(call(aToken({ claims, header: { [member]: value } })), REQUIRED)),
          ).not.toBe('accepted');
        },
      ),
      { seed: 12, numRuns: 300 },
    );
  });

  it('claims that are signed', async () => {
    const { world, claims, call } = await theWorld();
    const bound = ['jti', 'iat', 'nonce', 'htm', 'htu', 'qsh', 'bh', 'ct', 'ath', 'sid', 'app', 'rt', 'hd'];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...bound), odd, async (claim, value) => {
        const harmless =
          (claim === 'hd' && (value === undefined || JSON.stringify(value) === '{}')) ||
          (claim === 'iat' && value === NOW);
        fc.pre(!harmless);
        const verification = await world.verifier.verify(
          call(aToken({ claims: { ...claims, [claim]: value } })),
          REQUIRED,
        );
        expect(outcomeOf(verification)).not.toBe('accepted');
        expect(outcomeOf(verification)).not.toBe('store_unavailable');
      }),
      { seed: 13, numRuns: 600 },
    );
  });

  it('parts of the request', async () => {
    const { world, claims, call } = await theWorld();
    const token = aToken({ claims });
    const text = fc.string({ maxLength: 12 });
    const change = fc.oneof(
      fc.record({ method: fc.oneof(text, fc.constantFrom('GET', 'post', 'PUT', 'POST ')) }),
      fc.record({ handlerMethod: fc.constantFrom('GET', 'DELETE', 'post') }),
      fc.record({
        target: fc.oneof(
          text,
          text.map((each) => `/transfers?a=1${each}!`),
          fc.webUrl(),
          fc.constantFrom(
            '/transfers',
            '/transfers/?a=1',
            '//transfers?a=1',
            '/transfers?A=1',
            '/Transfers?a=1',
            '/x/../transfers?a=1',
            '/%74ransfers?a=1',
            'https://api.example.com/transfers?a=1',
          ),
        ),
      }),
      fc.record({
        content: fc.oneof(
          text.map((each) => ({ kind: 'octets', octets: Buffer.from(each) }) as const),
          fc.constantFrom({ kind: 'none' } as const, { kind: 'unavailable' } as const),
        ),
      }),
      fc.record({
        raw: fc.constantFrom(
          HEADERS.slice(2),
          HEADERS.slice(0, 2),
          [...HEADERS, ...HEADERS],
          [...HEADERS, 'Authorization', 'Bearer x'],
          [...HEADERS, 'content-encoding', 'gzip'],
          [...HEADERS, 'content-type', 'text/plain'],
          [...HEADERS, 'tab-token', token],
        ),
      }),
    );
    await fc.assert(
      fc.asyncProperty(change, async (changed) => {
        const { raw, ...parts } = changed as { raw?: string[] };
        const request = {
          ...call(token),
          ...parts,
          ...(raw && { headers: aRequest({ headers: [...raw, 'TAB-Token', token] }).headers }),
        };
        fc.pre(
          request.target !== '/transfers?a=1' ||
            request.method !== 'POST' ||
            raw !== undefined ||
            'content' in changed ||
            'handlerMethod' in changed,
        );
        expect(outcomeOf(await world.verifier.verify(request, REQUIRED))).not.toBe('accepted');
      }),
      { seed: 14, numRuns: 600 },
    );
    expect(outcomeOf(await world.verifier.verify(call(token), REQUIRED))).toBe('accepted');
  });

  it('anything at all in the header', async () => {
    const { world, call } = await theWorld();
    const segment = fc.oneof(
      json.map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
      fc.base64String(),
      fc.string(),
    );
    const token = fc.oneof(
      fc.string({ maxLength: 50 }),
      fc.tuple(segment, segment, segment).map((parts) => parts.join('.')),
    );
    await fc.assert(
      fc.asyncProperty(token, async (text) => {
        expect(['missing_token', 'malformed_token']).toContain(
          outcomeOf(await world.verifier.verify(call(text), REQUIRED)),
        );
      }),
      { seed: 15, numRuns: 1000 },
    );
  });
});
