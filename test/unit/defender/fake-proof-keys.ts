import {
  createCipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
  type JsonWebKey,
} from 'node:crypto';

/*
 * The server's side of PROTOCOL section 10, from `node:crypto` alone: ECDH-ES with the Concat KDF of RFC 7518 section 4.6.2, and
 * A256GCM.
 */

/** What to do otherwise than is right. */
export interface Grant {
  kid?: string;
  alg?: string;
  expiresIn?: unknown;
  /** Octets of the key. */
  key?: Buffer;
  /** The recipient's thumbprint and the instance id that go into the derivation and, unless `header` says otherwise, the header. */
  apu?: string;
  apv?: string;
  /** Laid over the JWE header; undefined removes a member. */
  header?: Record<string, unknown>;
  /** Changes the compact JWE. */
  change?: (jwe: string) => string;
}

/** A key that was given out. */
export interface GivenKey {
  kid: string;
  key: Buffer;
  body: Record<string, unknown>;
}

const b64u = (data: string | Uint8Array) => Buffer.from(data as Uint8Array).toString('base64url');
const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest();
const uint32 = (value: number) => {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value);
  return octets;
};
const prefixed = (text: string) => Buffer.concat([uint32(Buffer.byteLength(text)), Buffer.from(text)]);

/** RFC 7518 section 4.6.2, for 256 bits of `A256GCM`. */
export function concatKdf(secret: Uint8Array, apu: string, apv: string): Buffer {
  return sha256(Buffer.concat([uint32(1), secret, prefixed('A256GCM'), prefixed(apu), prefixed(apv), uint32(256)]));
}

/** The answer to a proof-key request of `instanceId`. */
export function grant(instanceId: string, recipientKey: JsonWebKey, wish: Grant = {}): GivenKey {
  const { x, y } = recipientKey;
  const kid = wish.kid ?? `${instanceId}~${randomBytes(25).toString('base64url')}`;
  const key = wish.key ?? randomBytes(32);
  const apu = wish.apu ?? instanceId;
  const apv = wish.apv ?? b64u(sha256(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`));
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const secret = diffieHellman({
    privateKey: own.privateKey,
    publicKey: createPublicKey({ key: recipientKey, format: 'jwk' }),
  });
  const epk = own.publicKey.export({ format: 'jwk' });
  const header = b64u(
    JSON.stringify({ alg: 'ECDH-ES', enc: 'A256GCM', epk, apu: b64u(apu), apv: b64u(apv), ...wish.header }),
  );
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', concatKdf(secret, apu, apv), iv).setAAD(Buffer.from(header));
  const ciphertext = Buffer.concat([cipher.update(key), cipher.final()]);
  const jwe = [header, '', b64u(iv), b64u(ciphertext), b64u(cipher.getAuthTag())].join('.');
  const body = {
    kid,
    alg: wish.alg ?? 'HS256',
    jwe: wish.change?.(jwe) ?? jwe,
    expiresIn: wish.expiresIn ?? 300,
  };
  return { kid, key, body };
}
