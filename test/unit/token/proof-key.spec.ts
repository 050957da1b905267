import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TabError } from '../../../lib/errors/tab-error.js';
import { readProofKeyId } from '../../../lib/token/proof-key-id.js';
import { ProofKeys } from '../../../lib/token/proof-key.js';
import { readSecret } from '../../../lib/token/secrets.js';
import { aProofKey, NOW, SECRET, thrownBy, type ProofKeyParts } from '../../utils/core/index.js';

const ORIGIN = 'https://api.example.com';
const INSTANCE = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';
const OTHER_SECRET = 'another secret of at least 32 octets, for rotation';
const INPUT = Buffer.from('signing.input');

/** Worked out once, by hand, from PROTOCOL section 10. */
const KNOWN = {
  kid: `${INSTANCE}~AQ1_9-drSdMsEBESExQVFhcYGRobHB0eHw`,
  secretId: '0d7ff7e7',
  exp: 1_800_000_300,
  random: '101112131415161718191a1b1c1d1e1f',
  key: 'dc2349c3bb6ca716c9d580a65986acfe9dd3b69f01830ee9c7c89ec14043f3e1',
  mac: 'c2bda3c6cc9872a9d0b9d15291edb467925b278a186e301b517ef6657163bc95',
};

const proofKeys = (secrets: readonly string[] = [SECRET], change: { origin?: string; lifetime?: number } = {}) => {
  const [first = SECRET, ...more] = secrets;
  return new ProofKeys({
    secrets: [readSecret(first), ...more.map(readSecret)],
    origin: ORIGIN,
    lifetime: 300,
    cacheSize: 100,
    ...change,
  });
};
const aKey = (parts: Partial<ProofKeyParts> = {}) =>
  aProofKey({ secret: SECRET, instanceId: INSTANCE, exp: NOW + 300, ...parts });
const macOf = (key: Uint8Array) => createHmac('sha256', key).update(INPUT).digest();
/** What becomes of a MAC under `kid`; `'malformed'` where the kid is none. */
const outcome = (keys: ProofKeys, kid: string, mac: Uint8Array, now = NOW): string => {
  const id = readProofKeyId(kid);
  return id === undefined ? 'malformed' : thrownBy(() => keys.check(id, INPUT, mac, now));
};
const verdict = (parts: Partial<ProofKeyParts>, keys = proofKeys(), now = NOW) => {
  const { kid, key } = aKey(parts);
  return outcome(keys, kid, macOf(key), now);
};

describe('a proof key', () => {
  it('is derived as the protocol says', () => {
    const random = Buffer.from(KNOWN.random, 'hex');
    const byHand = aKey({ exp: KNOWN.exp, random });
    expect([byHand.kid, byHand.key.toString('hex')]).toEqual([KNOWN.kid, KNOWN.key]);
    expect(outcome(proofKeys(), KNOWN.kid, Buffer.from(KNOWN.mac, 'hex'), KNOWN.exp - 300)).toBe('accepted');
    expect(readProofKeyId(KNOWN.kid)).toEqual({
      text: KNOWN.kid,
      instanceId: INSTANCE,
      secretId: Number.parseInt(KNOWN.secretId, 16),
      expiresAt: KNOWN.exp,
    });
  });

  it('is issued as it will be derived, and never twice', () => {
    const keys = proofKeys([SECRET], { lifetime: 120 });
    const [first, second] = [keys.issue(INSTANCE, NOW), keys.issue(INSTANCE, NOW)];
    expect(first.expiresIn).toBe(120);
    expect(first.kid).toHaveLength(78);
    expect(first.kid).not.toBe(second.kid);
    const random = Buffer.from(first.kid.slice(44), 'base64url').subarray(9);
    expect(aKey({ exp: NOW + 120, random })).toEqual({ kid: first.kid, key: first.octets });
    expect(outcome(keys, first.kid, macOf(first.octets))).toBe('accepted');
    expect(outcome(keys, first.kid, macOf(second.octets))).toBe('bad_signature');
  });

  it.each([
    ['a second before its end', -1, 'step_up_required'],
    ['at its end', 0, 'step_up_required'],
    ['one second from its end', 1, 'accepted'],
    ['with all the time that a key may have', 900, 'accepted'],
    ['with one second more', 901, 'step_up_required'],
    ['with no end in sight', 2 ** 32 - 1 - NOW, 'step_up_required'],
  ])('%s', (_what, left, expected) => expect(verdict({ exp: NOW + left })).toBe(expected));

  it('expires although it was used, and so is known, before', () => {
    const keys = proofKeys();
    const { kid, key } = aKey();
    for (const [now, expected] of [
      [NOW, 'accepted'],
      [NOW + 299, 'accepted'],
      [NOW + 300, 'step_up_required'],
      [NOW - 601, 'step_up_required'],
      [NOW, 'accepted'],
    ] as const)
      expect(outcome(keys, kid, macOf(key), now)).toBe(expected);
  });

  it('asks for a signature where it is none any more', () => {
    const id = readProofKeyId(aKey({ exp: NOW }).kid);
    expect.assertions(2);
    try {
      proofKeys().check(id!, INPUT, Buffer.alloc(32), NOW);
    } catch (error) {
      expect(error).toBeInstanceOf(TabError);
      expect((error as TabError).hints).toEqual({ requirement: 'signature' });
    }
  });

  it.each([
    ['another secret', { secret: OTHER_SECRET }, 'step_up_required'],
    [
      'another secret under the name of ours',
      { secret: OTHER_SECRET, secretId: Buffer.from(KNOWN.secretId, 'hex') },
      'bad_signature',
    ],
    ['another deployment', { origin: 'https://other.example.com' }, 'bad_signature'],
    ['the same host with a prefix', { origin: `${ORIGIN}/bank` }, 'bad_signature'],
    ['another version', { version: 2 }, 'malformed'],
  ] as const)('of %s is not ours', (_what, parts, expected) => expect(verdict(parts)).toBe(expected));

  it('is not another instance’s, nor good for longer, by writing so into the kid', () => {
    const { kid, key } = aKey();
    const later = aKey({ exp: NOW + 600, random: Buffer.from(kid.slice(44), 'base64url').subarray(9) });
    expect(outcome(proofKeys(), later.kid, macOf(key))).toBe('bad_signature');
    expect(outcome(proofKeys(), `${'A'.repeat(43)}${kid.slice(43)}`, macOf(key))).toBe('bad_signature');
  });

  it('outlives a rotation of secrets while the old one is listed', () => {
    const before = proofKeys([SECRET]).issue(INSTANCE, NOW);
    const during = proofKeys([OTHER_SECRET, SECRET]);
    const mac = macOf(before.octets);
    expect(outcome(during, before.kid, mac)).toBe('accepted');
    expect(outcome(proofKeys([OTHER_SECRET]), before.kid, mac)).toBe('step_up_required');
    const after = during.issue(INSTANCE, NOW);
    expect(outcome(proofKeys([OTHER_SECRET]), after.kid, macOf(after.octets))).toBe('accepted');
    expect(outcome(proofKeys([SECRET]), after.kid, macOf(after.octets))).toBe('step_up_required');
  });
});

describe('a MAC', () => {
  const { kid, key } = aKey();
  const mac = macOf(key);

  it.each([
    ['empty', Buffer.alloc(0)],
    ['cut off', mac.subarray(0, 31)],
    ['longer', Buffer.concat([mac, Buffer.alloc(1)])],
    ['of zeros', Buffer.alloc(32)],
    ['of another key', macOf(Buffer.alloc(32))],
    ['with a longer hash', createHmac('sha512', key).update(INPUT).digest()],
  ])('that is %s is refused', (_what, octets) => {
    // With a cold and with a warm memory.
    const keys = proofKeys();
    expect(outcome(keys, kid, octets)).toBe('bad_signature');
    expect(outcome(keys, kid, mac)).toBe('accepted');
    expect(outcome(keys, kid, octets)).toBe('bad_signature');
  });

  it('with any bit changed is refused', () => {
    const keys = proofKeys();
    for (let bit = 0; bit < 256; bit += 1) {
      const changed = Buffer.from(mac);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(outcome(keys, kid, changed)).toBe('bad_signature');
    }
  });
});

describe('the kid of a proof key', () => {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const { kid, key } = aKey();

  it('with any character changed is refused', () => {
    const keys = proofKeys();
    const change = fc.tuple(fc.nat(77), fc.constantFrom(...ALPHABET, '~', '.', '=', '+', '/', ' ', 'é'));
    expect(outcome(keys, kid, macOf(key))).toBe('accepted');
    fc.assert(
      fc.property(change, ([at, character]) => {
        fc.pre(kid[at] !== character);
        const changed = kid.slice(0, at) + character + kid.slice(at + 1);
        expect(outcome(keys, changed, macOf(key))).not.toBe('accepted');
      }),
      { seed: 71, numRuns: 3000 },
    );
  });

  it.each([
    ['one character less', kid.slice(0, -1)],
    ['one character more', `${kid}A`],
    ['no separator', kid.replace('~', '-')],
    ['the separator elsewhere', `${kid.slice(0, 42)}~${kid[42]}${kid.slice(44)}`],
    ['two separators', `${kid.slice(0, 44)}~${kid.slice(45)}`],
    ['an instance id with spare bits', `${kid.slice(0, 42)}B${kid.slice(43)}`],
    ['spare bits at its end', `${kid.slice(0, 77)}${ALPHABET[ALPHABET.indexOf(kid[77]!) + 1]}`],
    ['padding', `${kid.slice(0, 76)}==`],
    ['standard base64', `${kid.slice(0, 50)}+/${kid.slice(52)}`],
    ['an instance id alone', INSTANCE],
    ['nothing', ''],
    ['version 0', aKey({ version: 0 }).kid],
    ['version 2', aKey({ version: 2 }).kid],
  ])('is not read with %s', (_what, text) => expect(readProofKeyId(text)).toBeUndefined());
});
