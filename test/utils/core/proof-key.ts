import { createHash, createHmac, randomBytes } from 'node:crypto';

/*
 * Proof keys by PROTOCOL section 10, from SHA-256 and HMAC alone: nothing here is the library's, nor Node's own HKDF.
 */

/** The parts of a proof key. */
export interface ProofKeyParts {
  readonly secret: string;
  readonly instanceId: string;
  /** Seconds since the epoch. */
  readonly exp: number;
  /** The first configured origin; default `https://api.example.com`. */
  readonly origin?: string;
  readonly version?: number;
  readonly secretId?: Buffer;
  readonly random?: Buffer;
}

/** A proof key as its holder has it. */
export interface TestProofKey {
  readonly kid: string;
  readonly key: Buffer;
}

/** The first 4 octets of SHA-256("tab-secret-id" ‖ secret). */
const secretIdOf = (secret: string): Buffer =>
  createHash('sha256').update('tab-secret-id').update(secret).digest().subarray(0, 4);

/** HKDF-SHA-256 (RFC 5869) without salt, to 32 octets: one block. */
function hkdf(secret: string, info: Buffer): Buffer {
  const extracted = createHmac('sha256', Buffer.alloc(32)).update(secret).digest();
  return createHmac('sha256', extracted)
    .update(info)
    .update(Buffer.from([1]))
    .digest();
}

/** A proof key as a server with this secret would have made it. */
export function aProofKey(parts: ProofKeyParts): TestProofKey {
  const { secret, instanceId, exp, origin = 'https://api.example.com', version = 1 } = parts;
  const expiry = Buffer.alloc(4);
  expiry.writeUInt32BE(exp);
  const { secretId = secretIdOf(secret), random = randomBytes(16) } = parts;
  const rest = Buffer.concat([Buffer.from([version]), secretId, expiry, random]).toString('base64url');
  const kid = `${instanceId}~${rest}`;
  return { kid, key: hkdf(secret, Buffer.from(`tab-proof-key-v1\0${origin}\0${kid}`)) };
}

/** A compact JWS under a MAC key. */
export function macToken(key: Uint8Array, header: unknown, payload: unknown): string {
  const input = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
}
