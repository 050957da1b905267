import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Certificate as AsnCertificate, SubjectPublicKeyInfo } from '@peculiar/asn1-x509';
import { describe, expect, it } from 'vitest';
import { DerError } from '../../../../lib/attestation/x509/der.js';
import {
  checkValidity,
  parseCertificate,
  parseChain,
  publicKeyOf,
  trustAnchor,
  verifyChain,
} from '../../../../lib/attestation/x509/index.js';
import { jwkOfSpki } from '../../../../lib/attestation/x509/key-jwk.js';
import { sameName } from '../../../../lib/attestation/x509/name.js';
import { aChain, checkOf, DAY, factory, KEY_OBJECT, NOW, rkp, type Request } from '../android/android.fixture.js';

const anchors = [trustAnchor(rkp.root)];
const now = new Date(NOW);
const life = new Date(NOW + DAY);
const parsed = (request: Request = {}) => parseChain(aChain(request).map((text) => Buffer.from(text, 'base64')));
/** The leaf has dates that a device makes, 1970 to 2048. */
const verdict = (chain = parsed(), at = now) => checkOf(() => verifyChain(chain, anchors, { now: at }));

describe('parseChain', () => {
  it('bounds how many certificates there are, and how long each is', () => {
    const ders = aChain().map((text) => Buffer.from(text, 'base64'));
    expect(checkOf(() => parseChain([]))).toBe('chain-length');
    expect(checkOf(() => parseChain(Array.from({ length: 11 }, () => ders[0] as Buffer)))).toBe('chain-length');
    expect(checkOf(() => parseChain(ders, { maxLength: 4 }))).toBe('chain-length');
    expect(checkOf(() => parseChain(ders.slice(0, 1), { minLength: 2 }))).toBe('chain-length');
    expect(checkOf(() => parseChain(ders, { maxBytes: 300 }))).toBe('certificate-size');
    expect(checkOf(() => parseCertificate(Buffer.alloc(4097)))).toBe('certificate-size');
  });

  it('refuses what is cut off or has octets behind, at every place', () => {
    const der = Buffer.from(aChain()[0] as string, 'base64');
    for (let length = 0; length < der.length; length += 1)
      expect(checkOf(() => parseCertificate(der.subarray(0, length)))).toBe('certificate');
    expect(checkOf(() => parseCertificate(Buffer.concat([der, Buffer.of(0)])))).toBe('certificate');
  });

  it('refuses other versions, and signature algorithms that differ', () => {
    const refused = (change: (certificate: AsnCertificate) => void) => {
      const certificate = AsnConvert.parse(Buffer.from(aChain()[0] as string, 'base64'), AsnCertificate);
      change(certificate);
      delete (certificate as { tbsCertificateRaw?: unknown }).tbsCertificateRaw;
      return checkOf(() => parseCertificate(Buffer.from(AsnConvert.serialize(certificate))));
    };
    expect(refused(() => undefined)).toBe('passes');
    expect(refused(({ tbsCertificate }) => void (tbsCertificate.version = 0))).toBe('certificate');
    expect(refused(({ tbsCertificate }) => void (tbsCertificate.version = 1))).toBe('certificate');
    expect(refused(({ signatureAlgorithm }) => void (signatureAlgorithm.algorithm = '1.2.840.10045.4.3.3'))).toBe(
      'certificate',
    );
  });
});

describe('verifyChain', () => {
  it('gives the path without the root, its key and its anchor', () => {
    const { path, anchor, keys } = verifyChain(parsed(), anchors, { now });
    expect(path).toHaveLength(4);
    expect(anchor).toBe(anchors[0]);
    expect(keys.map((key) => key.asymmetricKeyType)).toEqual(['ec', 'ec', 'ec', 'ec']);
    expect(keys[0].equals(KEY_OBJECT)).toBe(true);
    expect(verifyChain(parsed({ includeRoot: false }), anchors, { now }).path).toHaveLength(4);
  });

  it('judges dates by default, and only the dates of the path', () => {
    expect(verdict(parsed(), new Date(NOW + 31 * DAY))).toBe('validity');
    expect(verdict(parsed(), new Date(Number.NaN))).toBe('validity');
    expect(checkOf(() => verifyChain(parsed(), anchors))).toBe('validity');
    const late = { now: new Date(NOW + 31 * DAY), checkValidity: false };
    expect(checkOf(() => verifyChain(parsed(), anchors, late))).toBe('passes');
    expect(checkOf(() => checkValidity([], new Date(Number.NaN)))).toBe('passes');
  });

  it('lets a leaf name itself only where told to', () => {
    const selfNamed = parsed({ change: (tbs, index) => void (index === 0 && (tbs.issuer = tbs.subject)) });
    expect(verdict(selfNamed)).toBe('chain-name');
    expect(checkOf(() => verifyChain(selfNamed, anchors, { now, selfNamedLeaf: true }))).toBe('passes');
    const above = parsed({ change: (tbs, index) => void (index === 1 && (tbs.issuer = tbs.subject)) });
    expect(checkOf(() => verifyChain(above, anchors, { now, selfNamedLeaf: true }))).toBe('chain-name');
  });

  it('without anchors, without certificates, with the root alone', () => {
    expect(checkOf(() => verifyChain(parsed(), [], { now }))).toBe('trust-anchor');
    expect(checkOf(() => verifyChain([], anchors, { now }))).toBe('trust-anchor');
    expect(checkOf(() => verifyChain(parsed().slice(-1), anchors, { now }))).toBe('trust-anchor');
  });

  it('trusts a key, not a certificate: a root that holds it must be signed by it', () => {
    const chain = parsed({
      change: (tbs, index) => void (index === 4 && (tbs.serialNumber = Uint8Array.of(9).buffer)),
    });
    expect(verdict(chain)).toBe('passes');
    const forged = { ...(chain[4] as (typeof chain)[4]), signature: Buffer.alloc(70, 1) };
    expect(verdict([...chain.slice(0, 4), forged as NonNullable<typeof forged & (typeof chain)[0]>])).toBe(
      'trust-anchor',
    );
  });

  it('refuses SHA-1, parameters where there are none, and an algorithm for another type of key', () => {
    const signedWith = (algorithm: string, parameters?: ArrayBuffer) =>
      parsed({
        change: (tbs, index) => {
          if (index !== 1) return;
          tbs.signature.algorithm = algorithm;
          tbs.signature.parameters = parameters;
        },
      });
    const asnNull = Uint8Array.of(5, 0).buffer;
    expect(verdict(signedWith('1.2.840.10045.4.1'))).toBe('signature-algorithm');
    expect(verdict(signedWith('1.2.840.113549.1.1.5', asnNull))).toBe('signature-algorithm');
    expect(verdict(signedWith('1.2.840.10045.4.3.2', asnNull))).toBe('signature-algorithm');
    expect(verdict(signedWith('1.2.840.113549.1.1.11'))).toBe('signature-algorithm');
    expect(verdict(signedWith('1.2.840.113549.1.1.11', asnNull))).toBe('chain-signature');
    expect(verdict(signedWith('1.2.840.10045.4.3.3'))).toBe('chain-signature');
  });

  it('begins at the top, so that made-up certificates below are not computed with', () => {
    const chain = parsed();
    const others = parseChain(aChain({}, factory).map((text) => Buffer.from(text, 'base64')));
    const [leaf, device, ...above] = chain as [(typeof chain)[0], (typeof chain)[0], ...typeof chain];
    // Below the leaf, which may not issue, is a link that does not hold, and a key that cannot be imported.
    const invented = { ...(others[1] as typeof leaf), spki: Buffer.alloc(91) } as typeof leaf;
    expect(verdict([others[0] as typeof leaf, invented, leaf, device, ...above] as typeof chain)).toBe('chain-ca');
    expect(verdict([invented, device, ...above] as typeof chain)).toBe('chain-name');
  });

  it('respects the length of path that an issuer allows', () => {
    const limited = (index: number, length: number) =>
      parsed({
        change: (tbs, at) => {
          const constraints = tbs.extensions?.find(({ extnID }) => extnID === '2.5.29.19');
          if (at === index && constraints !== undefined)
            constraints.extnValue.buffer = Uint8Array.of(0x30, 6, 1, 1, 0xff, 2, 1, length).buffer;
        },
      });
    expect(verdict(limited(1, 0))).toBe('passes');
    expect(verdict(limited(3, 2))).toBe('passes');
    expect(verdict(limited(3, 1))).toBe('chain-ca');
    expect(verdict(limited(2, 0))).toBe('chain-ca');
  });
});

describe('keys', () => {
  const keyed = (spki: Buffer) => {
    const leaf = AsnConvert.parse(Buffer.from(aChain()[0] as string, 'base64'), AsnCertificate);
    leaf.tbsCertificate.subjectPublicKeyInfo = AsnConvert.parse(spki, SubjectPublicKeyInfo);
    delete (leaf as { tbsCertificateRaw?: unknown }).tbsCertificateRaw;
    return parseCertificate(Buffer.from(AsnConvert.serialize(leaf)));
  };
  const ML_DSA_65 = Buffer.concat([
    Buffer.from('308203b2300b0609608648016503040312038203a100', 'hex'),
    Buffer.alloc(928, 5),
  ]);
  const spki = (type: 'ec' | 'rsa' | 'ed25519', options: object = {}) =>
    generateKeyPairSync(type as 'ec', options as { namedCurve: string }).publicKey.export({
      type: 'spki',
      format: 'der',
    });

  it('of other types, curves and sizes are refused by name', () => {
    expect(checkOf(() => publicKeyOf(keyed(ML_DSA_65)))).toBe('key-type');
    expect(checkOf(() => publicKeyOf(keyed(spki('ed25519'))))).toBe('key-type');
    expect(checkOf(() => publicKeyOf(keyed(spki('ec', { namedCurve: 'secp256k1' }))))).toBe('key-type');
    expect(checkOf(() => publicKeyOf(keyed(spki('rsa', { modulusLength: 1024 }))))).toBe('key-size');
    const explicit = spki('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });
    expect(checkOf(() => publicKeyOf(keyed(explicit)))).toBe('key-type');
    const point = spki('ec', { namedCurve: 'P-256' });
    point[point.length - 1] = (point.at(-1) as number) ^ 1;
    expect(checkOf(() => publicKeyOf(keyed(point)))).toBe('key');
  });

  it.each(['P-256', 'P-384', 'P-521'])('on %s are read as Node reads them', (namedCurve) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
    const jwk = jwkOfSpki(publicKey.export({ type: 'spki', format: 'der' }));
    expect(jwk).toEqual(publicKey.export({ format: 'jwk' }));
    const imported = createPublicKey({ key: jwk, format: 'jwk' });
    const der = privateKey.export({ type: 'pkcs8', format: 'der' });
    const signature = sign('sha256', Buffer.of(1), createPrivateKey({ key: der, type: 'pkcs8', format: 'der' }));
    expect(verify('sha256', Buffer.of(1), imported, signature)).toBe(true);
  });

  it('of other types have no JWK', () => {
    expect(() => jwkOfSpki(spki('ed25519'))).toThrow(DerError);
    expect(() => jwkOfSpki(spki('ec', { namedCurve: 'secp256k1' }))).toThrow(DerError);
  });
});

describe('names', () => {
  const [leaf] = parsed();
  const name = (leaf as NonNullable<typeof leaf>).issuer;

  it('are the same whatever their case and spaces, and differ in every part', () => {
    const [first, ...rest] = name as [(typeof name)[0] & object, ...typeof name];
    const spelt = [{ ...first, value: `  ${first.value.toUpperCase()}` }, ...rest];
    expect(sameName(name, spelt)).toBe(true);
    expect(sameName(name, [{ ...first, value: `${first.value}x` }, ...rest])).toBe(false);
    expect(sameName(name, [{ ...first, type: '2.5.4.4' }, ...rest])).toBe(false);
    expect(sameName(name, [...name].reverse())).toBe(false);
    expect(sameName(name, rest)).toBe(false);
    expect(sameName([], [])).toBe(true);
    expect(life.getTime()).toBeGreaterThan(NOW);
  });
});
