import { base64url } from 'jose';

/** Field values travel as one octet per character (Fetch "isomorphic encode"), not as UTF-8. */
export function fieldOctets(value: string): Uint8Array {
  return Uint8Array.from(value, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code > 0xff) throw new TypeError('A header value must consist of characters up to U+00FF');
    return code;
  });
}

/** `b64u(SHA-256(octets))`. */
export async function digest(octets: Uint8Array): Promise<string> {
  return base64url.encode(await sha256(octets));
}

/** SHA-256. */
export async function sha256(octets: Uint8Array): Promise<Uint8Array> {
  // WebCrypto refuses octets in shared memory at run time; the type alone would ask every caller for a copy.
  return new Uint8Array(await crypto.subtle.digest('SHA-256', octets as Uint8Array<ArrayBuffer>));
}
