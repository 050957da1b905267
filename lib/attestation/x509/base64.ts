const STANDARD = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * Decodes canonical base64 with padding (RFC 4648 section 4), as in `x5c` (RFC 7515 section 4.1.6).
 *
 * @returns undefined when the text is not canonical
 */
export function decodeBase64(text: string): Buffer | undefined {
  if (!STANDARD.test(text)) return undefined;
  const octets = Buffer.from(text, 'base64');
  return octets.toString('base64') === text ? octets : undefined;
}
