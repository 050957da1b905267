import { base64url } from 'jose';

/** Standard base64 with padding (RFC 4648 section 4), as `Base64.NO_WRAP` and Foundation write it. */
export function encodeBase64(octets: Uint8Array): string {
  const text = base64url.encode(octets).replaceAll('-', '+').replaceAll('_', '/');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

/** The octets of canonical standard base64; undefined for anything else, line breaks included. */
export function decodeBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  try {
    const octets = base64url.decode(text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''));
    // Ensures that there is one text for these octets: full padding, zero trailing bits.
    return encodeBase64(octets) === text ? octets : undefined;
  } catch {
    return undefined;
  }
}
