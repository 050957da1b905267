const ALPHABET = /^[A-Za-z0-9_-]+$/;

/** Whether `text` is a non-empty string of base64url characters (RFC 4648 section 5, no padding). */
export function isBase64url(text: string): boolean {
  return ALPHABET.test(text);
}

/**
 * Decodes canonical base64url: no padding, no foreign character, zero trailing bits. One octet string has exactly one
 * such text, so a text can be compared, hashed and claimed in place of its octets.
 *
 * @returns undefined when the text is not canonical
 */
export function decodeBase64url(text: string): Buffer | undefined {
  if (!isBase64url(text) || !hasCanonicalEnd(text)) return undefined;
  return Buffer.from(text, 'base64url');
}

/** Last characters whose lowest four, or two, bits are zero: those that a rest of one, or of two, octets can end in. */
const ENDS_OF_ONE = 'AQgw';
const ENDS_OF_TWO = 'AEIMQUYcgkosw048';

/** Whether the text has a length that octets can have, and no bits set beyond them (RFC 4648 section 3.5). */
function hasCanonicalEnd(text: string): boolean {
  const rest = text.length % 4;
  if (rest === 0) return true;
  const last = text.charAt(text.length - 1);
  if (rest === 2) return ENDS_OF_ONE.includes(last);
  return rest === 3 && ENDS_OF_TWO.includes(last);
}
