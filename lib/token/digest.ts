import { hash } from 'node:crypto';

/** `b64u(SHA-256(data))`, 43 characters; strings are hashed as UTF-8. */
export function sha256(data: string | Uint8Array): string {
  return hash('sha256', data, 'base64url');
}

/** `b64u(SHA-256(value))` of a header value as the HTTP parser hands it out: one character per octet. */
export function sha256OfField(value: string): string {
  return sha256(Buffer.from(value, 'latin1'));
}
