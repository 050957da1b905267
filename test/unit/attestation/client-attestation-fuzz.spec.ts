import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TabError } from '../../../lib/errors/tab-error.js';
import {
  attempt,
  attesterWith,
  forge,
  inputOf,
  issue,
  NOW,
  VALID_HEADER,
  validClaims,
} from './client-attestation.fixture.js';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const SEEDED = { seed: 20_260_101, numRuns: 500 };
const attester = attesterWith();

/** Refused or accepted, but never by an error of another kind. */
async function refusalOf(jwt: unknown, statement: unknown = { jwt }): Promise<TabError | undefined> {
  const outcome = await attempt(attester, inputOf(jwt, { statement }));
  if ('result' in outcome) return undefined;
  expect(outcome.error).toBeInstanceOf(TabError);
  return outcome.error as TabError;
}

describe('clientAttestation under hostile input', () => {
  it('refuses a valid attestation with any one character changed', async () => {
    const jwt = await issue();
    expect(await refusalOf(jwt)).toBeUndefined();
    for (let index = 0; index < jwt.length; index += 1) {
      const place = ALPHABET.indexOf(jwt.charAt(index));
      // The neighbour differs in the lowest bit, the one that lenient decoders drop at the end of a segment.
      const replacements = place < 0 ? ['A', ''] : [ALPHABET.charAt(place ^ 1), '.'];
      for (const replacement of replacements) {
        const mutant = jwt.slice(0, index) + replacement + jwt.slice(index + 1);
        expect((await refusalOf(mutant))?.code, `character ${index}`).toBe('attestation_rejected');
      }
    }
  });

  it('refuses a valid attestation with a character removed, doubled or inserted', async () => {
    const jwt = await issue();
    const edit = fc.record({
      at: fc.nat({ max: jwt.length - 1 }),
      drop: fc.nat({ max: 4 }),
      insert: fc.string({ unit: fc.constantFrom(...ALPHABET, '.', '=', ' ', '\0', '\u{1f600}'), maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(edit, async ({ at, drop, insert }) => {
        const mutant = jwt.slice(0, at) + insert + jwt.slice(at + drop);
        fc.pre(mutant !== jwt);
        expect((await refusalOf(mutant))?.code).toBe('attestation_rejected');
      }),
      SEEDED,
    );
  });

  it('refuses any statement that is not an attestation', async () => {
    const statement = fc.oneof(fc.anything(), fc.record({ jwt: fc.anything() }), fc.record({ jwt: fc.string() }));
    await fc.assert(
      fc.asyncProperty(statement, async (value) => {
        expect((await refusalOf(undefined, value))?.code).toBe('attestation_rejected');
      }),
      SEEDED,
    );
  });

  it('survives any header and claims that the issuer could sign', async () => {
    const text = fc.oneof(fc.json(), fc.string());
    await fc.assert(
      fc.asyncProperty(text, text, async (header, claims) => {
        expect((await refusalOf(forge(header, claims)))?.code).toBe('attestation_rejected');
        expect((await refusalOf(forge(VALID_HEADER, claims)))?.code).toBe('attestation_rejected');
      }),
      { ...SEEDED, numRuns: 200 },
    );
  });

  it('survives any value in place of a header member or a claim, and keeps its promises on what it accepts', async () => {
    const member = fc.constantFrom('typ', 'alg', 'kid', 'crit', 'jwk', 'x5c', '__proto__');
    const claim = fc.constantFrom('iss', 'sub', 'aud', 'iat', 'nbf', 'exp', 'jti', 'cnf', 'toString', '__proto__');
    const change = <K extends fc.Arbitrary<string>>(name: K) => fc.tuple(name, fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(change(member), change(claim), fc.boolean(), async (header, claims, both) => {
        const changed = { ...validClaims(), ...Object.fromEntries([claims]) };
        const jwt = forge({ ...VALID_HEADER, ...(both ? Object.fromEntries([header]) : {}) }, changed);
        const outcome = await attempt(attester, inputOf(jwt));
        if ('error' in outcome) expect(outcome.error).toBeInstanceOf(TabError);
        else expect(outcome.result.expiresAt).toBeGreaterThan(NOW);
      }),
      SEEDED,
    );
  });

  it('survives deep nesting within the size limit', async () => {
    const deep = `${'['.repeat(2500)}${']'.repeat(2500)}`;
    const claims = JSON.stringify(validClaims()).replace(/}$/, `,"x":${deep}}`);
    expect(await refusalOf(forge(VALID_HEADER, claims))).toBeUndefined();
    const confirmation = JSON.stringify({ ...validClaims(), cnf: 0 }).replace(
      '"cnf":0',
      `"cnf":{"jwk":{"kty":${deep}}}`,
    );
    expect((await refusalOf(forge(VALID_HEADER, confirmation)))?.code).toBe('attestation_rejected');
  });
});
