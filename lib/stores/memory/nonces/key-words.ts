const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The six bits of a character, by its code. */
const BITS = new Uint8Array(128);
for (let value = 0; value < ALPHABET.length; value++) BITS[ALPHABET.charCodeAt(value)] = value;

/** Words that a key is kept in. */
export const KEY_WORDS = 5;
const CHARACTERS_OF_WORD = 5;
const CHARACTERS = 22;

/**
 * Writes the 22 characters of a key into the first words of `words`, five characters to a word, so that equal words are equal
 * keys. This is not base64 decoding on purpose: 22 characters are 132 bits, and decoding them to 16 octets drops the last
 * four, which would make sixteen spellings one key. All characters count here, as in every other store.
 *
 * @param key 22 characters of base64url; `assertClaimArguments` has seen to it
 */
export function writeKey(key: string, words: Int32Array): void {
  for (let word = 0, at = 0; word < KEY_WORDS; word++) {
    const end = Math.min(at + CHARACTERS_OF_WORD, CHARACTERS);
    let bits = 0;
    for (; at < end; at++) bits = (bits << 6) | (BITS[key.charCodeAt(at)] as number);
    words[word] = bits;
  }
}
