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
  if (!isBase64url(text)) return undefined;
  const octets = Buffer.from(text, 'base64url');
  return octets.toString('base64url') === text ? octets : undefined;
}
