import { createHmac, hkdfSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { Challenges, isPastHalfLife, type ChallengePurpose } from '../../../lib/token/challenge.js';
import { deriveKey, readSecret } from '../../../lib/token/secrets.js';
import { aKey, NOW, thrownBy } from '../../utils/core/index.js';

const ONE = readSecret('1'.repeat(32));
const TWO = readSecret('2'.repeat(32));
const challenges = new Challenges([ONE], 300);
const [ALICE, BOB] = [aKey('ES256', 'alice').id, aKey('ES256', 'bob').id];
const outcome = (
  text: string | undefined,
  purpose: ChallengePurpose = 'request',
  now = NOW,
  instance?: string,
  by = challenges,
) => thrownBy(() => by.check(text, purpose, now, instance));

describe('challenges', () => {
  it('verify, with their times', () => {
    const text = challenges.issue('request', NOW);
    expect(challenges.check(text, 'request', NOW)).toEqual({ text, issuedAt: NOW, expiresAt: NOW + 300 });
  });

  it.each(['enrol', 'request'] as const)('have a size and alphabet that the protocol allows: %s', (purpose) => {
    const text = challenges.issue(purpose, NOW, ALICE);
    expect(text).toMatch(/^[A-Za-z0-9._-]{22,256}$/);
    expect(text.length % 4).toBe(0);
  });

  it('are never twice the same', () => {
    const made = Array.from({ length: 500 }, () => challenges.issue('request', NOW));
    expect(new Set(made).size).toBe(500);
  });

  it('have a MAC made as documented, from a key of their own', () => {
    const text = challenges.issue('request', NOW, ALICE);
    const octets = Buffer.from(text, 'base64url');
    const key = Buffer.from(hkdfSync('sha256', Buffer.from('1'.repeat(32)), Buffer.alloc(0), 'tab-challenge-v1\0', 32));
    const mac = createHmac('sha256', key).update(octets.subarray(0, 32)).update(ALICE).digest().subarray(0, 16);
    expect(octets.subarray(32).equals(mac)).toBe(true);
  });

  it.each([
    undefined,
    '',
    'x',
    'A'.repeat(22),
    'A'.repeat(63),
    'A'.repeat(64),
    'A'.repeat(256),
    'a.b',
    'é',
    '!'.repeat(64),
  ])('refuses %j', (text) => expect(outcome(text)).toBe('use_tab_nonce'));

  it('are refused with any octet changed', () => {
    for (const instance of [undefined, ALICE]) {
      const octets = Buffer.from(challenges.issue('request', NOW, instance), 'base64url');
      for (let at = 0; at < octets.length; at += 1) {
        for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
          const copy = Buffer.from(octets);
          copy[at] = (copy[at] as number) ^ bit;
          expect(outcome(copy.toString('base64url'), 'request', NOW, instance), `octet ${at}, bit ${bit}`).toBe(
            'use_tab_nonce',
          );
        }
      }
    }
  });

  it('are refused in any other spelling, or cut, or lengthened', () => {
    const text = challenges.issue('request', NOW);
    for (const bad of [
      `${text}=`,
      `${text}A`,
      `${text}AAAA`,
      text.slice(0, -1),
      text.slice(4),
      ` ${text}`,
      `${text}\n`,
      `${text}.`,
      Buffer.from(text, 'base64url').toString('hex'),
    ]) {
      expect(outcome(bad), bad).toBe('use_tab_nonce');
    }
  });
});

describe('the purpose of a challenge', () => {
  it.each([
    ['enrol', undefined, 'enrol', undefined, 'accepted'],
    ['enrol', undefined, 'enrol', 'alice', 'accepted'],
    ['enrol', undefined, 'request', undefined, 'use_tab_nonce'],
    ['enrol', undefined, 'request', 'alice', 'use_tab_nonce'],
    ['request', undefined, 'request', undefined, 'accepted'],
    ['request', undefined, 'request', 'alice', 'accepted'],
    ['request', undefined, 'enrol', undefined, 'use_tab_nonce'],
    ['request', undefined, 'enrol', 'alice', 'use_tab_nonce'],
    ['request', 'alice', 'request', 'alice', 'accepted'],
    ['request', 'alice', 'request', 'bob', 'use_tab_nonce'],
    ['request', 'alice', 'request', undefined, 'use_tab_nonce'],
    ['request', 'alice', 'enrol', 'alice', 'use_tab_nonce'],
    ['request', 'alice', 'enrol', undefined, 'use_tab_nonce'],
  ] as const)('made for %s of %s, used for %s by %s: %s', (made, forWhom, used, by, expected) => {
    const idOf = (name: 'alice' | 'bob' | undefined) => name && { alice: ALICE, bob: BOB }[name];
    expect(outcome(challenges.issue(made, NOW, idOf(forWhom)), used, NOW, idOf(by))).toBe(expected);
  });
});

describe('the life of a challenge', () => {
  it.each([
    [-16, 'use_tab_nonce'],
    [-15, 'accepted'],
    [0, 'accepted'],
    [299, 'accepted'],
    [300, 'use_tab_nonce'],
    [1e6, 'use_tab_nonce'],
  ])('%s seconds after it was made: %s', (after, expected) =>
    expect(outcome(challenges.issue('request', NOW), 'request', NOW + after)).toBe(expected),
  );

  it('is that of the node which made it', () => {
    const longer = new Challenges([ONE], 3600);
    expect(outcome(longer.issue('request', NOW), 'request', NOW + 3599)).toBe('accepted');
    expect(outcome(longer.issue('request', NOW), 'request', NOW + 3600)).toBe('use_tab_nonce');
  });

  it.each([
    [149, false],
    [150, false],
    [151, true],
    [300, true],
  ])('after %s seconds of 300, past half: %s', (after, past) =>
    expect(isPastHalfLife({ text: '', issuedAt: NOW, expiresAt: NOW + 300 }, NOW + after)).toBe(past),
  );
});

describe('the secrets of challenges', () => {
  const of = (...secrets: [typeof ONE, ...(typeof ONE)[]]) => new Challenges(secrets, 300);

  it('refuses those of another secret', () => expect(outcome(of(TWO).issue('request', NOW))).toBe('use_tab_nonce'));
  it('rotates: the first makes them, all verify', () => {
    const rotated = of(TWO, ONE);
    expect(outcome(challenges.issue('request', NOW), 'request', NOW, undefined, rotated)).toBe('accepted');
    expect(outcome(rotated.issue('request', NOW), 'request', NOW, undefined, of(TWO))).toBe('accepted');
    expect(outcome(rotated.issue('request', NOW), 'request', NOW, undefined, of(ONE))).toBe('use_tab_nonce');
  });
  it('refuses those of another life of a store that forgets', () => {
    const life = (epoch: string) => new Challenges([ONE], 300, epoch);
    expect(outcome(life('a').issue('request', NOW), 'request', NOW, undefined, life('a'))).toBe('accepted');
    expect(outcome(life('a').issue('request', NOW), 'request', NOW, undefined, life('b'))).toBe('use_tab_nonce');
    expect(outcome(life('a').issue('request', NOW), 'request', NOW)).toBe('use_tab_nonce');
    expect(outcome(challenges.issue('request', NOW), 'request', NOW, undefined, life('a'))).toBe('use_tab_nonce');
  });

  it.each(['', 'short', 'x'.repeat(31), new Uint8Array(31)])('needs 32 octets: %j', (secret) => {
    expect(() => readSecret(secret)).toThrow(TabConfigError);
    expect(() => readSecret(secret)).toThrow(/at least 32 octets/);
  });
  it('counts octets, not characters', () => expect(readSecret('é'.repeat(16)).octets).toHaveLength(32));
  it('never quotes a secret in its message', () => expect(() => readSecret('hunter2')).not.toThrow(/hunter2/));
  it('copies the octets it is given', () => {
    const octets = Buffer.alloc(32, 7);
    const secret = readSecret(octets);
    octets.fill(0);
    expect(secret.octets.every((octet) => octet === 7)).toBe(true);
  });
  it('names a secret as PROTOCOL section 10 says', () => {
    // printf 'tab-secret-id11111111111111111111111111111111' | openssl dgst -sha256
    expect(ONE.id.toString('hex')).toBe('0ac198a4');
    expect(ONE.id).toHaveLength(4);
  });
  it('derives a key per purpose', () => {
    expect(deriveKey(ONE, 'a')).toHaveLength(32);
    expect(deriveKey(ONE, 'a').equals(deriveKey(ONE, 'b'))).toBe(false);
    expect(deriveKey(ONE, 'a').equals(deriveKey(TWO, 'a'))).toBe(false);
  });
});
