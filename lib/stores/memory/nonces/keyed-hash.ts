import { KEY_WORDS } from './key-words.js';

/** Octets of the message that is hashed: the words of a key. */
const OCTETS = KEY_WORDS * 4;
/** One round for each word, one for the length, three to finish. */
const ROUNDS = KEY_WORDS + 1 + 3;
const FINISH = KEY_WORDS + 1;

/** Hashes the words of a key to 32 bits. */
export type HashKey = (words: Int32Array) => number;

/**
 * HalfSipHash-1-3 (Aumasson and Bernstein; the variant for hash tables) under a secret. Keys of claims are SHA-256 of what a
 * client sent, so a client can search for ids whose keys are alike in the bits that a table looks at. Without the secret it
 * cannot tell which keys meet in one chain, and so cannot make claims slow. Nothing but speed hangs on this: keys are
 * compared whole.
 *
 * @param secret 8 octets, random, of this process alone
 */
export function keyedHash(secret: Buffer): HashKey {
  const [k0, k1] = [secret.readInt32LE(0), secret.readInt32LE(4)];
  return (words) => {
    let [v0, v1, v2, v3] = [k0, k1, k0 ^ 0x6c796765, k1 ^ 0x74656462];
    for (let round = 0; round < ROUNDS; round++) {
      const message = round < KEY_WORDS ? (words[round] as number) : round === KEY_WORDS ? OCTETS << 24 : 0;
      if (round === FINISH) v2 ^= 0xff;
      v3 ^= message;
      v0 = (v0 + v1) | 0;
      v1 = rotate(v1, 5) ^ v0;
      v0 = rotate(v0, 16);
      v2 = (v2 + v3) | 0;
      v3 = rotate(v3, 8) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = rotate(v3, 7) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = rotate(v1, 13) ^ v2;
      v2 = rotate(v2, 16);
      v0 ^= message;
    }
    return v1 ^ v3;
  };
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}
