/*
 * By WebCrypto alone: a chunk of a bundle that imports nothing, so that the bundle itself stays in one piece.
 */

/** A key pair that one proof key is sent to. */
export interface Recipient {
  readonly privateKey: CryptoKey;
  readonly publicKey: { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string };
}

/** Whom a proof key is for: what `apu` and `apv` of its JWE must say. */
export interface Parties {
  readonly instanceId: string;
  /** Thumbprint of the recipient key. */
  readonly recipient: string;
}

const CURVE = { name: 'ECDH', namedCurve: 'P-256' } as const;
const ENCRYPTION = 'A256GCM';
const KEY_BITS = 256;

const utf8 = new TextEncoder();

/** RFC 7638 SHA-256 thumbprint of a recipient key. */
export async function recipientThumbprint({ x, y }: Recipient['publicKey']): Promise<string> {
  const members = utf8.encode(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`);
  return encode(new Uint8Array(await crypto.subtle.digest('SHA-256', members)));
}

/** A new key pair; its private half cannot be taken out. */
export async function makeRecipient(): Promise<Recipient> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(CURVE, false, ['deriveBits']);
  const { x = '', y = '' } = await crypto.subtle.exportKey('jwk', publicKey);
  return { privateKey, publicKey: { kty: 'EC', crv: 'P-256', x, y } };
}

/**
 * Opens a compact JWE, ECDH-ES with A256GCM (RFC 7518 sections 4.6 and 5.3), whose content is a MAC key. The key is unwrapped
 * by the platform: its octets are never in reach of a script.
 * @throws when it is not exactly what PROTOCOL section 10 says, or not for `privateKey`
 */
export async function openProofKey(jwe: string, privateKey: CryptoKey, parties: Parties): Promise<CryptoKey> {
  const [head = '', encryptedKey, ...rest] = jwe.split('.');
  const [iv, ciphertext, tag, ...more] = rest.map((part) => decode(part));
  const header = JSON.parse(new TextDecoder().decode(decode(head))) as Record<string, unknown>;
  const apu = utf8.encode(parties.instanceId);
  const apv = utf8.encode(parties.recipient);
  // The server's word on who gives the key to whom, which is also in the derivation below.
  const isForUs = header['apu'] === encode(apu) && header['apv'] === encode(apv);
  const isKnown = header['alg'] === 'ECDH-ES' && header['enc'] === ENCRYPTION && !('zip' in header || 'crit' in header);
  const isWhole = encryptedKey === '' && more.length === 0 && ciphertext?.length === KEY_BITS / 8;
  if (!isForUs || !isKnown || !isWhole || iv?.length !== 12 || tag?.length !== 16) throw new TypeError('No proof key');
  const { x, y } = header['epk'] as JsonWebKey;
  const epk = await crypto.subtle.importKey('jwk', { kty: 'EC', crv: 'P-256', x, y }, CURVE, false, []);
  const secret = await crypto.subtle.deriveBits({ name: 'ECDH', public: epk }, privateKey, KEY_BITS);
  const wrapping = await crypto.subtle.importKey('raw', await concatKdf(secret, apu, apv), 'AES-GCM', false, [
    'unwrapKey',
  ]);
  const gcm = { name: 'AES-GCM', iv, additionalData: utf8.encode(head) };
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  return crypto.subtle.unwrapKey('raw', joined(ciphertext, tag), wrapping, gcm, hmac, false, ['sign']);
}

/** RFC 7518 section 4.6.2 for a key as long as the hash: one round. */
function concatKdf(secret: ArrayBuffer, apu: Uint8Array, apv: Uint8Array): Promise<ArrayBuffer> {
  const info = [utf8.encode(ENCRYPTION), apu, apv].flatMap((part) => [uint32(part.length), part]);
  return crypto.subtle.digest('SHA-256', joined(uint32(1), new Uint8Array(secret), ...info, uint32(KEY_BITS)));
}

/** Big-endian; every number here is below 65,536. */
function uint32(value: number): Uint8Array {
  return Uint8Array.of(0, 0, value >> 8, value & 255);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function encode(octets: Uint8Array): string {
  const text = btoa(String.fromCodePoint(...octets));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function decode(text: string): Uint8Array<ArrayBuffer> {
  const octets = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(octets, (octet) => octet.codePointAt(0) ?? 0);
}
