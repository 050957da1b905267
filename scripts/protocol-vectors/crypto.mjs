// What the vectors are made with: hashes, fixed keys, deterministic signatures. node:crypto only.
import { createECDH, createHash, createHmac, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';

/** The time of all vectors. */
export const NOW = 1_800_000_000;

export const sha256 = (data) => createHash('sha256').update(data).digest();
export const b64u = (data) => Buffer.from(data).toString('base64url');
/** `b64u(SHA-256(data))`. */
export const digest = (data) => b64u(sha256(data));
/** Octets of a header value: one character each. */
export const latin1 = (text) => Buffer.from(text, 'latin1');
/** Octets that look random and never change. */
export const fixedOctets = (label, length) => sha256(`protocol-v1 ${label}`).subarray(0, length);

/** Order of the base point of P-256. */
export const ORDER = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
const number = (octets) => BigInt(`0x${octets.toString('hex')}`);
export const field = (value) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

function ecJwk(d) {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(d);
  const point = ecdh.getPublicKey();
  return { kty: 'EC', crv: 'P-256', x: b64u(point.subarray(1, 33)), y: b64u(point.subarray(33)), d: b64u(d) };
}

function edJwk(seed) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const { kty, crv, x, d } = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' });
  return { kty, crv, x, d };
}

const es256 = (name) => ({ alg: 'ES256', privateJwk: ecJwk(sha256(`TEST ONLY ${name}`)) });

/** TEST ONLY: every private key is the hash of a public text. */
export const keys = {
  instance: es256('instance'),
  otherInstance: es256('other instance'),
  suspended: es256('suspended'),
  revoked: es256('revoked'),
  stranger: es256('stranger'),
  ed25519: { alg: 'EdDSA', privateJwk: edJwk(sha256('TEST ONLY ed25519')) },
};

/** The members that RFC 7638 names, in its order. */
export function publicOf({ kty, crv, x, y, n, e }) {
  if (kty === 'RSA') return { e, kty, n };
  return kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x };
}

export const thumbprintInput = (jwk) => JSON.stringify(publicOf(jwk));
export const thumbprintOf = (jwk) => digest(thumbprintInput(jwk));
export const idOf = (name) => thumbprintOf(keys[name].privateJwk);

const hmac = (key, ...parts) => createHmac('sha256', key).update(Buffer.concat(parts)).digest();

/** The secret number of RFC 6979 section 3.2, for P-256 and SHA-256. */
function* secretNumbers(d, hash) {
  const seed = Buffer.concat([d, field(number(hash) % ORDER)]);
  let k = Buffer.alloc(32, 0);
  let v = Buffer.alloc(32, 1);
  for (const separator of [0, 1]) {
    k = hmac(k, v, Buffer.of(separator), seed);
    v = hmac(k, v);
  }
  while (true) {
    v = hmac(k, v);
    yield v;
    k = hmac(k, v, Buffer.of(0));
    v = hmac(k, v);
  }
}

function power(base, exponent, modulus) {
  let result = 1n;
  for (let [b, e] = [base % modulus, exponent]; e > 0n; e >>= 1n, b = (b * b) % modulus) {
    if (e & 1n) result = (result * b) % modulus;
  }
  return result;
}

/** Deterministic ECDSA, `r ‖ s`. */
function signEs256({ d }, input) {
  const secret = Buffer.from(d, 'base64url');
  const hash = sha256(input);
  for (const octets of secretNumbers(secret, hash)) {
    const k = number(octets);
    if (k === 0n || k >= ORDER) continue;
    const point = createECDH('prime256v1');
    point.setPrivateKey(octets);
    const r = number(point.getPublicKey().subarray(1, 33)) % ORDER;
    const s = (power(k, ORDER - 2n, ORDER) * (number(hash) + r * number(secret))) % ORDER;
    if (r !== 0n && s !== 0n) return Buffer.concat([field(r), field(s)]);
  }
  throw new Error('unreachable');
}

/** A JWS signature by the named key. */
export function signBy(name, input) {
  const { alg, privateJwk } = keys[name];
  if (alg === 'ES256') return signEs256(privateJwk, input);
  return sign(null, Buffer.from(input), createPrivateKey({ key: privateJwk, format: 'jwk' }));
}

/** Whether OpenSSL thinks so too. */
export function verifies(name, input, signature) {
  const { alg, privateJwk } = keys[name];
  const key = createPublicKey({ key: publicOf(privateJwk), format: 'jwk' });
  const data = Buffer.from(input);
  if (alg === 'ES256') return verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature);
  return verify(null, data, key, signature);
}

/** Fails unless the example of RFC 6979 A.2.5 comes out. */
export function selfCheck() {
  const d = b64u(Buffer.from('c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721', 'hex'));
  const r = 'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716';
  const s = 'f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8';
  if (signEs256({ d }, 'sample').toString('hex') !== r + s) throw new Error('RFC 6979 example does not come out');
}
