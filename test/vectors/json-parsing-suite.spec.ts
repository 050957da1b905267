import { expect, it } from 'vitest';
import { readEnrolmentBody } from '../../lib/enrolment/enrolment-body.js';
import { TabError } from '../../lib/errors/tab-error.js';
import { readClaims } from '../../lib/token/claims.js';
import { parseCompact } from '../../lib/token/compact.js';
import { readEnrolTokenHeader, readTokenHeader } from '../../lib/token/header.js';
import { readPublicJwk } from '../../lib/token/jwk.js';
import { parseJsonObject } from '../../lib/token/json.js';
import { aRequest, aWorld, b64u, outcomeOf, requiring } from '../utils/core/index.js';
import { describeVectors } from '../utils/vectors.js';

interface Case {
  name: string;
  expected: 'accept' | 'reject' | 'implementation-defined';
  bytesB64: string;
}
const ES256 = new Set(['ES256'] as const);

/** Fails the test for anything thrown that is not a `TabError`; tells whether something was. */
function refuses(name: string, call: () => unknown): boolean {
  try {
    call();
    return false;
  } catch (error) {
    expect(error, name).toBeInstanceOf(TabError);
    return true;
  }
}

describeVectors('evil-input', (vectors) => {
  const cases = vectors.json<{ cases: Case[] }>('json-parsing-suite.json').cases;

  it('the suite is there', () => expect(cases.length).toBeGreaterThan(100));

  it('JSON that must be refused is, and an object that must be read is', () => {
    for (const { name, expected, bytesB64 } of cases) {
      const octets = Buffer.from(bytesB64, 'base64');
      const parsed = parseJsonObject(octets);
      if (expected === 'reject') expect(parsed, name).toBeUndefined();
      if (expected === 'accept') expect(parsed !== undefined, name).toBe(/^\s*\{/.test(octets.toString()));
    }
  });

  it('as header, as payload and as body it throws nothing but TabError', () => {
    for (const { name, expected, bytesB64 } of cases) {
      const octets = Buffer.from(bytesB64, 'base64');
      const hostile = b64u(octets);
      const asHeader = refuses(name, () => parseCompact(`${hostile}.e30.AQ`));
      const asPayload = refuses(name, () => readClaims(parseCompact(`e30.${hostile}.AQ`).payload));
      const parsed = parseJsonObject(octets) ?? {};
      expect(
        refuses(name, () => readTokenHeader(parsed, ES256)),
        name,
      ).toBe(true);
      expect(
        refuses(name, () => readEnrolTokenHeader(parsed, ES256)),
        name,
      ).toBe(true);
      expect(
        refuses(name, () => readPublicJwk(parsed)),
        name,
      ).toBe(true);
      expect(
        refuses(name, () => readEnrolmentBody({ kind: 'octets', octets })),
        name,
      ).toBe(true);
      if (expected === 'reject') expect([asHeader, asPayload], name).toEqual([true, true]);
      expect(asPayload, name).toBe(true);
    }
  });

  it('nothing of it is ever accepted by the verifier', async () => {
    const world = await aWorld();
    for (const { name, bytesB64 } of cases) {
      const hostile = b64u(Buffer.from(bytesB64, 'base64'));
      for (const token of [`${hostile}.${hostile}.AQ`, `${hostile}.e30.AQ`, `e30.${hostile}.AQ`]) {
        const verification = await world.verifier.verify(aRequest({ headers: ['TAB-Token', token] }), requiring());
        expect(outcomeOf(verification), name).toBe('malformed_token');
      }
    }
  });

  it('nor are strings that break programs, wherever they stand', async () => {
    const world = await aWorld();
    const strings = vectors.json<string[]>('blns.json');
    expect(strings.length).toBeGreaterThan(400);
    for (const text of strings) {
      for (const claim of ['htm', 'htu', 'qsh', 'bh', 'ct', 'ath', 'nonce']) {
        const verification = await world.verify({ token: { claims: { [claim]: text } } });
        expect(['malformed_token', 'request_mismatch', 'use_tab_nonce'], `${claim}: ${text}`).toContain(
          outcomeOf(verification),
        );
      }
      const header = await world.verifier.verify(aRequest({ headers: ['TAB-Token', text] }), requiring());
      expect(['missing_token', 'malformed_token'], text).toContain(outcomeOf(header));
    }
  }, 120_000);
});
