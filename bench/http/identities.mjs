// Clients: an instance key each, an access token bound to it, a session, a proof key.
import {
  createECDH,
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  sign,
} from 'node:crypto';
import { AUDIENCE, ISSUER, ORIGIN, SECRET } from './facts.mjs';

const encode = (value) => Buffer.from(value).toString('base64url');
export const digest = (value) => createHash('sha256').update(value).digest('base64url');

/** RFC 7638, of the members in their order. */
const thumbprintOf = ({ kty, crv, x, y }) =>
  digest(
    y === undefined
      ? `{"crv":"${crv}","kty":"${kty}","x":"${x}"}`
      : `{"crv":"${crv}","kty":"${kty}","x":"${x}","y":"${y}"}`,
  );

/** Without `KeyObject.export`, which is slow and has hung when called in masses. */
function p256() {
  const ecdh = createECDH('prime256v1');
  const point = ecdh.generateKeys();
  const publicKey = { kty: 'EC', crv: 'P-256', x: encode(point.subarray(1, 33)), y: encode(point.subarray(33)) };
  const d = encode(Buffer.concat([Buffer.alloc(32), ecdh.getPrivateKey()]).subarray(-32));
  return { publicKey, privateJwk: { ...publicKey, d } };
}

function ed25519() {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { kty, crv, x, d } = privateKey.export({ format: 'jwk' });
  return { publicKey: { kty, crv, x }, privateJwk: { kty, crv, x, d } };
}

/** Signs `header.payload` as JWS does. */
export function signJws(input, algorithm, key) {
  const signature =
    algorithm === 'EdDSA'
      ? sign(null, Buffer.from(input), key)
      : sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

/** The key by which access tokens are issued. */
export class Issuer {
  #key;
  constructor() {
    const { publicKey, privateJwk } = p256();
    this.publicKey = publicKey;
    this.#key = createPrivateKey({ key: privateJwk, format: 'jwk' });
  }

  /** An access token (RFC 9068) for an hour, bound to `jkt` (RFC 9449 section 6). */
  accessToken(sub, jkt) {
    const iat = Math.floor(Date.now() / 1000);
    const header = encode(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: 'issuer' }));
    const grant = { iss: ISSUER, aud: AUDIENCE, sub, client_id: 'bank-app', iat, exp: iat + 3600 };
    const claims = { ...grant, jti: randomBytes(16).toString('base64url'), scope: 'accounts transfers', cnf: { jkt } };
    return signJws(`${header}.${encode(JSON.stringify(claims))}`, 'ES256', this.#key);
  }
}

/** A proof key as PROTOCOL section 10 derives it, so that none has to be asked for. */
function proofKeyOf(id, at) {
  const secretId = createHash('sha256').update('tab-secret-id').update(SECRET).digest().subarray(0, 4);
  const expires = Buffer.alloc(4);
  expires.writeUInt32BE(at + 300);
  const kid = `${id}~${Buffer.concat([Buffer.of(1), secretId, expires, randomBytes(16)]).toString('base64url')}`;
  const info = `tab-proof-key-v1\0${ORIGIN}\0${kid}`;
  return { kid, key: Buffer.from(hkdfSync('sha256', SECRET, '', info, 32)) };
}

/** One client. */
class Identity {
  constructor(algorithm, issuer, index) {
    const { publicKey, privateJwk } = algorithm === 'EdDSA' ? ed25519() : p256();
    this.algorithm = algorithm;
    this.publicKey = publicKey;
    this.key = createPrivateKey({ key: privateJwk, format: 'jwk' });
    this.id = thumbprintOf(publicKey);
    this.sid = randomBytes(32).toString('base64url');
    this.subject = `user-${index}`;
    this.accessToken = issuer?.accessToken(this.subject, this.id) ?? randomBytes(24).toString('base64url');
    this.credentialHash = digest(this.accessToken);
    this.tabHeader = encode(JSON.stringify({ typ: 'tab+jwt', alg: algorithm, kid: this.id }));
    this.dpopHeader = encode(JSON.stringify({ typ: 'dpop+jwt', alg: algorithm, jwk: publicKey }));
  }

  /** Proof keys live five minutes: one for each round. */
  renewProofKey(at) {
    const { kid, key } = proofKeyOf(this.id, at);
    this.proofKey = key;
    this.proofHeader = encode(JSON.stringify({ typ: 'tab+jwt', alg: 'HS256', kid }));
  }

  /** What a server may know. */
  get enrolment() {
    const { id, algorithm, publicKey, sid, credentialHash } = this;
    return { id, algorithm, publicKey, sid, credentialHash };
  }
}

export function makeIdentities(count, algorithm, issuer) {
  return Array.from({ length: count }, (_, index) => new Identity(algorithm, issuer, index));
}
