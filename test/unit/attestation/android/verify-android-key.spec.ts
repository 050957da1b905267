import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { RootOfTrust, VerifiedBootState } from '@peculiar/asn1-android';
import { AsnConvert } from '@peculiar/asn1-schema';
import {
  AttributeTypeAndValue,
  AttributeValue,
  Certificate,
  Extension,
  Extensions,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  Name,
  RelativeDistinguishedName,
  SubjectPublicKeyInfo,
  Validity,
  type TBSCertificate,
} from '@peculiar/asn1-x509';
import { describe, expect, it } from 'vitest';
import { KEY_DESCRIPTION } from '../../../../lib/attestation/android/key-description.js';
import { readStatusList } from '../../../../lib/attestation/android/status-list.js';
import { verifyAndroidKeyAttestation } from '../../../../lib/attestation/android/verify-android-key.js';
import type { AndroidKeyEvidence } from '../../../../lib/attestation/android/android-key.types.js';
import { parseCertificate } from '../../../../lib/attestation/x509/index.js';
import { TabConfigError } from '../../../../lib/errors/tab-error.js';
import { createAndroidAttestationCa } from '../../../../lib/testing/android-attestation.js';
import {
  aChain,
  CHALLENGE,
  checkOf,
  DAY,
  DIGEST,
  factory,
  KEY,
  NOW,
  PACKAGE,
  rkp,
  someEvidence,
  type Request,
} from './android.fixture.js';

const verdict = (evidence: Partial<AndroidKeyEvidence> = {}) =>
  checkOf(() => verifyAndroidKeyAttestation(someEvidence(evidence)));
const verdictOn = (request: Request, evidence: Partial<AndroidKeyEvidence> = {}) =>
  verdict({ x5c: aChain(request), ...evidence });
const lifeOf = (from: number, to: number) => new Validity({ notBefore: new Date(from), notAfter: new Date(to) });
const extensionsOf = (tbs: TBSCertificate) => tbs.extensions as Extensions;
const without = (tbs: TBSCertificate, id: string) => {
  tbs.extensions = new Extensions(extensionsOf(tbs).filter(({ extnID }) => extnID !== id));
};

/** A leaf of the attacker's own, issued by a key that the attacker has attested. */
function extended(chain: readonly string[], key: KeyObject): string[] {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const fake = AsnConvert.parse(Buffer.from(chain[0] as string, 'base64'), Certificate);
  const above = AsnConvert.parse(Buffer.from(chain[0] as string, 'base64'), Certificate);
  fake.tbsCertificate.issuer = above.tbsCertificate.subject;
  fake.tbsCertificate.subjectPublicKeyInfo = AsnConvert.parse(
    publicKey.export({ type: 'spki', format: 'der' }),
    SubjectPublicKeyInfo,
  );
  const tbs = Buffer.from(AsnConvert.serialize(fake.tbsCertificate));
  fake.signatureValue = Uint8Array.from(sign('sha256', tbs, key)).buffer;
  delete (fake as { tbsCertificateRaw?: unknown }).tbsCertificateRaw;
  return [Buffer.from(AsnConvert.serialize(fake)).toString('base64'), ...chain];
}

describe('an attestation that passes', () => {
  it('tells everything that it says', () => {
    const attestation = verifyAndroidKeyAttestation(someEvidence({ x5c: aChain({ versionCode: 42 }) }));
    expect(attestation).toMatchObject({
      publicKey: KEY,
      securityLevel: 'tee',
      attestationVersion: 300,
      keyMintVersion: 300,
      provisioning: 'rkp',
      packages: [{ name: PACKAGE, version: 42 }],
      packageNames: [PACKAGE],
      signatureDigests: [DIGEST],
      verifiedBootState: 'VERIFIED',
      deviceLocked: true,
      osVersion: 150_000,
      osPatchLevel: 202_504,
    });
    expect(attestation.serials).toHaveLength(5);
  });

  it.each(['tee', 'strongbox'] as const)('in %s', (securityLevel) => {
    expect(verifyAndroidKeyAttestation(someEvidence({ x5c: aChain({ securityLevel }) })).securityLevel).toBe(
      securityLevel,
    );
  });

  it.each([
    ['rkp', rkp],
    ['factory', factory],
  ] as const)('%s, with and without the root', (provisioning, ca) => {
    for (const includeRoot of [true, false]) {
      const x5c = aChain({ includeRoot }, ca);
      expect(verifyAndroidKeyAttestation(someEvidence({ x5c })).provisioning).toBe(provisioning);
    }
  });

  it('as octets as well as text, over any of several challenges, with digests in any spelling', () => {
    const colons = (DIGEST.match(/../g) as string[]).join(':').toUpperCase();
    const base64 = Buffer.from(DIGEST, 'hex').toString('base64');
    expect(verdict({ x5c: aChain().map((text) => Buffer.from(text, 'base64')) })).toBe('passes');
    expect(verdict({ challenge: [randomBytes(32), CHALLENGE] })).toBe('passes');
    const octets = Buffer.from(DIGEST, 'hex');
    for (const digest of [colons, base64, base64.replace('=', ''), octets, Uint8Array.from(octets)])
      expect(verdict({ signatureDigests: [digest] })).toBe('passes');
    expect(verdict({ signatureDigests: [octets.map((octet) => octet ^ 1)] })).toBe('signing-certificate');
    for (const digest of [octets.subarray(1), Buffer.concat([octets, Buffer.of(0)]), [...octets], octets.buffer])
      expect(() => verifyAndroidKeyAttestation(someEvidence({ signatureDigests: [digest as Buffer] }))).toThrow(
        TabConfigError,
      );
  });

  it('with an RSA key', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const attestation = verifyAndroidKeyAttestation(someEvidence({ x5c: aChain({ publicKey }) }));
    const { kty, n, e } = publicKey.export({ format: 'jwk' });
    expect(attestation.publicKey).toEqual({ kty, n, e });
  });

  it('whatever the dates of the leaf', () => {
    for (const life of [lifeOf(0, 1000), lifeOf(NOW + 900 * DAY, NOW + 901 * DAY), lifeOf(0, Date.UTC(2106, 1, 7))]) {
      const change = (tbs: TBSCertificate, index: number) => {
        if (index === 0) tbs.validity = life;
      };
      expect(verdictOn({ change })).toBe('passes');
    }
  });

  it('with a leaf that names itself as its issuer', () => {
    const change = (tbs: TBSCertificate, index: number) => {
      if (index === 0) tbs.issuer = tbs.subject;
    };
    expect(verdictOn({ change })).toBe('passes');
  });

  it('with tags of a newer schema, which are kept', () => {
    const tag = 725;
    const list = [0xbf, 0x80 | (tag >> 7), tag & 0x7f, 0x02, 0x05, 0x00];
    const extension = withLastTag(list);
    const { description } = verifyAndroidKeyAttestation(someEvidence({ x5c: aChain({ extension }) }));
    expect([...description.hardwareEnforced.unknown]).toEqual([[tag, Buffer.from([5, 0])]]);
  });
});

/** The extension of a good leaf with a tag behind the last of its hardware list. */
function withLastTag(encoded: readonly number[]): Uint8Array {
  const leaf = parseCertificate(Buffer.from(aChain()[0] as string, 'base64'));
  const value = Buffer.from((leaf.extensions.get(KEY_DESCRIPTION) as { value: Uint8Array }).value);
  // The hardware list is the last element, so that both lengths that grow are known: two octets after 82, one after 81.
  const grown = Buffer.concat([value, Buffer.from(encoded)]);
  grown.writeUInt16BE(grown.readUInt16BE(2) + encoded.length, 2);
  const list = grown.lastIndexOf(Buffer.from([0x30, 0x81]));
  grown[list + 2] = (grown[list + 2] as number) + encoded.length;
  return grown;
}

describe('refused', () => {
  it.each<[string, string, Request]>([
    ['software', 'security-level', { securityLevel: 'software' }],
    [
      'levels that differ, the key higher',
      'security-level',
      { securityLevel: 'software', keyMintSecurityLevel: 'tee' },
    ],
    [
      'levels that differ, the key lower',
      'security-level',
      { securityLevel: 'strongbox', keyMintSecurityLevel: 'tee' },
    ],
    ['a key that was imported', 'origin', { origin: 2 }],
    ['a key that was imported securely', 'origin', { origin: 4 }],
    ['a key of unknown origin', 'origin', { origin: null }],
    ['an origin that only the system tells', 'origin', { origin: null, softwareEnforced: { origin: 0 } }],
    ['another package', 'application', { packageName: 'com.example.bank.evil' }],
    ['no application', 'application', { signatureDigest: null }],
    ['another signer', 'signing-certificate', { signatureDigest: 'cd'.repeat(32) }],
    ['a boot by a key of the user', 'boot-state', { verifiedBootState: 'SELF_SIGNED' }],
    ['a boot that was not verified', 'boot-state', { verifiedBootState: 'UNVERIFIED' }],
    ['a boot that failed', 'boot-state', { verifiedBootState: 'FAILED' }],
    ['an unlocked boot loader', 'device-locked', { deviceLocked: false }],
    ['no root of trust', 'root-of-trust', { verifiedBootState: null }],
    ['no extension', 'attestation-extension', { extension: null }],
    ['an empty extension', 'key-description', { extension: new Uint8Array() }],
    ['a truncated description', 'key-description', { extension: withLastTag([]).subarray(0, -1) }],
    ['octets behind it', 'key-description', { extension: Buffer.concat([withLastTag([]), Buffer.of(5, 0)]) }],
  ])('%s: %s', (_what, check, request) => expect(verdictOn(request)).toBe(check));

  it('a root of trust that only the system tells', () => {
    const rootOfTrust = new RootOfTrust({ verifiedBootState: VerifiedBootState.verified, deviceLocked: true });
    const request: Request = { hardwareEnforced: { rootOfTrust: undefined }, softwareEnforced: { rootOfTrust } };
    expect(verdictOn(request)).toBe('root-of-trust');
  });

  it('another challenge, its prefix, its reverse, and none', () => {
    for (const challenge of [
      randomBytes(32),
      CHALLENGE.subarray(1),
      Buffer.concat([CHALLENGE, Buffer.of(0)]),
      Buffer.alloc(0),
    ])
      expect(verdict({ challenge })).toBe('challenge');
    expect(verdict({ challenge: [] })).toBe('challenge');
    expect(verdictOn({ challenge: Buffer.alloc(0) }, { challenge: Buffer.alloc(0) })).toBe('challenge');
  });

  it('tags out of order, and a tag twice', () => {
    const moduleHash = [0xbf, 0x85, 0x54, 0x03, 0x04, 0x01, 0x00];
    const osVersion = [0xbf, 0x85, 0x41, 0x03, 0x02, 0x01, 0x01];
    expect(verdictOn({ extension: withLastTag(moduleHash) })).toBe('passes');
    expect(verdictOn({ extension: withLastTag([...moduleHash, ...osVersion]) })).toBe('key-description');
    expect(verdictOn({ extension: withLastTag([...moduleHash, ...moduleHash]) })).toBe('key-description');
  });

  it('a boolean that is neither 00 nor FF, a value of another type, a tag without its wrapper', () => {
    const extension = withLastTag([]);
    const boot = Buffer.from(extension).indexOf(Buffer.from([0x01, 0x01, 0xff, 0x0a]));
    expect(boot).toBeGreaterThan(0);
    const changed = Buffer.from(extension);
    changed[boot + 2] = 0x01;
    expect(verdictOn({ extension: changed })).toBe('key-description');
    expect(verdictOn({ extension: withLastTag([0xbf, 0x85, 0x54, 0x03, 0x02, 0x01, 0x00]) })).toBe('key-description');
    expect(verdictOn({ extension: withLastTag([0x9f, 0x85, 0x54, 0x01, 0x00]) })).toBe('key-description');
  });
});

describe('policy', () => {
  it('lets through what it names, and nothing else', () => {
    const unlocked: Request = { verifiedBootState: 'UNVERIFIED', deviceLocked: false };
    expect(verdictOn(unlocked, { policy: { allowUnlocked: true } })).toBe('boot-state');
    expect(verdictOn(unlocked, { policy: { allowUnverifiedBoot: true } })).toBe('device-locked');
    expect(verdictOn(unlocked, { policy: { allowUnverifiedBoot: true, allowUnlocked: true } })).toBe('passes');
    expect(verdictOn({ verifiedBootState: 'FAILED' }, { policy: { allowUnverifiedBoot: true } })).toBe('boot-state');
    expect(verdictOn({ securityLevel: 'software' }, { policy: { allowSoftware: true } })).toBe('passes');
    const mixed: Request = { securityLevel: 'software', keyMintSecurityLevel: 'tee' };
    expect(verdictOn(mixed, { policy: { allowSoftware: true } })).toBe('security-level');
  });

  it.each([
    ['patch-level', { osPatchLevel: 202_503 }, { minOsPatchLevel: 202_504 }],
    ['patch-level', { osPatchLevel: 202_600 }, { minOsPatchLevel: 202_504 }],
    ['patch-level', { osPatchLevel: 202_613 }, { minOsPatchLevel: 202_504 }],
    ['patch-level', { hardwareEnforced: { osPatchLevel: undefined } }, { minOsPatchLevel: 202_504 }],
    ['os-version', { osVersion: 129_999 }, { minOsVersion: 130_000 }],
    ['os-version', { hardwareEnforced: { osVersion: undefined } }, { minOsVersion: 130_000 }],
    ['app-version', { versionCode: 9 }, { minAppVersionCode: 10 }],
    ['passes', { osPatchLevel: 202_504 }, { minOsPatchLevel: 202_504 }],
    ['passes', { osPatchLevel: 202_613 }, {}],
    ['passes', { osVersion: 130_000, versionCode: 10 }, { minOsVersion: 130_000, minAppVersionCode: 10 }],
  ] as const)('floor: %s', (check, request, policy) => expect(verdictOn(request, { policy })).toBe(check));
});

describe('a chain', () => {
  it('of another authority, whatever its names', () => {
    const other = createAndroidAttestationCa({ clock: () => NOW });
    expect(verdict({ x5c: aChain({}, other) })).toBe('trust-anchor');
    // Its own chain, with the root that is trusted put on top.
    const mixed = [...aChain({}, other).slice(0, -1), aChain().at(-1) as string];
    expect(verdict({ x5c: mixed })).toBe('chain-signature');
    expect(verdict({ roots: undefined })).toBe('trust-anchor');
  });

  it('of one, of thirty, of more octets than a certificate has', () => {
    const chain = aChain();
    expect(verdict({ x5c: [] })).toBe('chain-length');
    expect(verdict({ x5c: chain.slice(0, 1) })).toBe('chain-length');
    expect(verdict({ x5c: Array.from({ length: 30 }, () => chain[1] as string) })).toBe('chain-length');
    expect(verdict({ x5c: [chain[0] as string, Buffer.alloc(65_537)] })).toBe('certificate-size');
    expect(verdict({ x5c: [chain[0] as string, 'A'.repeat(65_537)] })).toBe('certificate-size');
  });

  it('in another order, with one left out, with one twice', () => {
    const [leaf, device, server, top, root] = aChain() as [string, string, string, string, string];
    expect(verdict({ x5c: [device, leaf, server, top, root] })).not.toBe('passes');
    expect(verdict({ x5c: [root, top, server, device, leaf] })).not.toBe('passes');
    expect(verdict({ x5c: [leaf, server, device, top, root] })).not.toBe('passes');
    expect(verdict({ x5c: [leaf, server, top, root] })).not.toBe('passes');
    expect(verdict({ x5c: [leaf, device, top, root] })).not.toBe('passes');
    expect(verdict({ x5c: [leaf, device, device, server, top, root] })).not.toBe('passes');
  });

  it('in which the root lies further down, which would make a remote chain look like one of a factory', () => {
    const x5c = aChain();
    expect(verdict({ x5c: [...x5c, x5c.at(-1) as string] })).toBe('trust-anchor');
    const old = aChain({}, factory);
    expect(verdict({ x5c: [...old, old.at(-1) as string], now: new Date(NOW + 99 * DAY) })).toBe('trust-anchor');
  });

  it('with a leaf that the root itself issued', () => {
    const [leaf, , , , root] = aChain({
      change: (tbs, index) => {
        if (index === 0) tbs.issuer = rootName();
      },
    }) as [string, string, string, string, string];
    const certificate = AsnConvert.parse(Buffer.from(leaf, 'base64'), Certificate);
    const tbs = Buffer.from(AsnConvert.serialize(certificate.tbsCertificate));
    certificate.signatureValue = Uint8Array.from(sign('sha256', tbs, rkp.privateKeys.at(-1) as KeyObject)).buffer;
    const direct = Buffer.from(AsnConvert.serialize(certificate)).toString('base64');
    expect(verdict({ x5c: [direct, root] })).toBe('chain-length');
  });

  it('extended by a key that is itself attested: as it is, and were its issuer a CA', () => {
    const mine = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const attested = aChain({ publicKey: mine.publicKey });
    expect(verdict({ x5c: extended(attested, mine.privateKey) })).toBe('chain-ca');
    const ca = (tbs: TBSCertificate, index: number) => {
      if (index !== 0) return;
      without(tbs, id_ce_keyUsage);
      extensionsOf(tbs).push(caExtension());
    };
    const asCa = aChain({ publicKey: mine.publicKey, change: ca });
    expect(verdict({ x5c: extended(asCa, mine.privateKey) })).toBe('attestation-extension');
  });

  it('with the extension in an intermediate, besides the leaf or instead', () => {
    const stolen = extensionsOfLeaf();
    const change = (tbs: TBSCertificate, index: number) => {
      if (index === 1) extensionsOf(tbs).push(stolen);
    };
    expect(verdictOn({ change })).toBe('attestation-extension');
    expect(verdictOn({ change, extension: null })).toBe('attestation-extension');
  });

  it('with the extension twice in the leaf', () => {
    const change = (tbs: TBSCertificate, index: number) => {
      if (index === 0) extensionsOf(tbs).push(extensionsOfLeaf());
    };
    expect(verdictOn({ change })).toBe('certificate');
  });

  it.each([1, 2, 3])('with an issuer that is no CA, or may not sign certificates: %i', (issuer) => {
    for (const id of [id_ce_basicConstraints, id_ce_keyUsage]) {
      const change = (tbs: TBSCertificate, index: number) => {
        if (index === issuer) without(tbs, id);
      };
      // A CA without keyUsage may do everything.
      expect(verdictOn({ change })).toBe(id === id_ce_keyUsage ? 'passes' : 'chain-ca');
    }
    const change = (tbs: TBSCertificate, index: number) => {
      if (index !== issuer) return;
      const usage = extensionsOf(tbs).find(({ extnID }) => extnID === id_ce_keyUsage) as Extension;
      usage.extnValue.buffer = Uint8Array.of(0x03, 0x02, 0x07, 0x80).buffer;
    };
    expect(verdictOn({ change })).toBe('chain-ca');
  });

  it('with a name that does not chain', () => {
    for (const broken of [0, 1, 2]) {
      const change = (tbs: TBSCertificate, index: number) => {
        if (index === broken) tbs.issuer = rootName();
      };
      expect(verdictOn({ change })).toBe('chain-name');
    }
  });

  it('with a critical extension that nobody here knows', () => {
    const change = (tbs: TBSCertificate, index: number) => {
      if (index === 1) extensionsOf(tbs).push(new Extension({ ...caExtension(), extnID: '2.5.29.30', critical: true }));
    };
    expect(verdictOn({ change })).toBe('critical-extension');
  });

  it('with dates: a remote one is judged, except root and leaf; one of a factory is not', () => {
    for (const now of [new Date(NOW + 31 * DAY), new Date(NOW - DAY), new Date(Number.NaN)]) {
      expect(verdict({ x5c: aChain(), now })).toBe('validity');
      expect(verdict({ x5c: aChain({}, factory), now })).toBe('passes');
    }
    for (const [expired, check] of [
      [0, 'passes'],
      [1, 'validity'],
      [2, 'validity'],
      [3, 'validity'],
      [4, 'passes'],
    ] as const) {
      const change = (tbs: TBSCertificate, index: number) => {
        if (index === expired) tbs.validity = lifeOf(NOW - 9 * DAY, NOW - DAY);
      };
      expect(verdictOn({ change })).toBe(check);
    }
  });

  it('with a device key that says it was provisioned remotely counts as such, whatever its names', () => {
    const change = (tbs: TBSCertificate, index: number) => {
      if (index !== 1) return;
      extensionsOf(tbs).push(new Extension({ ...caExtension(), extnID: '1.3.6.1.4.1.11129.2.1.30', critical: false }));
      tbs.validity = lifeOf(NOW - 9 * DAY, NOW - DAY);
    };
    expect(verdict({ x5c: aChain({ change }, factory) })).toBe('validity');
  });
});

describe('revocation', () => {
  const serials = verifyAndroidKeyAttestation(someEvidence({ x5c: aChain() })).serials;

  it('is asked about every certificate, the root included', () => {
    const asked: string[] = [];
    const x5c = aChain();
    const revoked = (serial: string) => asked.push(serial) === 0;
    const attestation = verifyAndroidKeyAttestation(someEvidence({ x5c, revoked }));
    expect(asked).toEqual(attestation.serials);
    expect(asked).toHaveLength(5);
    expect(serials.slice(1)).toEqual(asked.slice(1));
    for (const one of attestation.serials)
      expect(verdict({ x5c, revoked: (serial) => serial === one })).toBe('revoked');
  });
});

describe('configuration that cannot work', () => {
  it.each<Partial<AndroidKeyEvidence>>([
    { signatureDigests: [] },
    { signatureDigests: ['abc'] },
    { signatureDigests: [DIGEST.slice(2)] },
    { roots: ['not a certificate'] },
    { roots: [Buffer.alloc(10)] },
  ])('%j', (evidence) => expect(() => verifyAndroidKeyAttestation(someEvidence(evidence))).toThrow(TabConfigError));
});

function caExtension(): Extension {
  const [leaf] = [aChain()[1] as string];
  const certificate = AsnConvert.parse(Buffer.from(leaf, 'base64'), Certificate);
  return extensionsOf(certificate.tbsCertificate).find(({ extnID }) => extnID === id_ce_basicConstraints) as Extension;
}

function extensionsOfLeaf(): Extension {
  const certificate = AsnConvert.parse(Buffer.from(aChain()[0] as string, 'base64'), Certificate);
  return extensionsOf(certificate.tbsCertificate).find(({ extnID }) => extnID === KEY_DESCRIPTION) as Extension;
}

function rootName(): Name {
  const value = new AttributeValue({ printableString: 'Test Key Attestation CA1' });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: '2.5.4.3', value })])]);
}

describe('a chain of which a certificate was withdrawn', () => {
  const x5c = aChain();
  const { serials } = verifyAndroidKeyAttestation(someEvidence({ x5c }));
  const spellings: readonly (readonly [string, (serial: string) => string])[] = [
    ['hex', (serial) => serial],
    ['hex, padded and in capitals', (serial) => `00${serial.toUpperCase()}`],
    ['decimal', (serial) => BigInt(`0x${serial}`).toString()],
  ];

  it.each(
    ['REVOKED', 'SUSPENDED'].flatMap((status) => spellings.map(([name, spell]) => [status, name, spell] as const)),
  )('is refused: %s, in %s', (status, _name, spell) => {
    expect(serials).toHaveLength(5);
    for (const serial of serials) {
      const listed = (entry: string) =>
        readStatusList(JSON.stringify({ entries: { [spell(serial)]: { status: entry } } }));
      expect(verdict({ x5c, revoked: listed(status) })).toBe('revoked');
      expect(verdict({ x5c, revoked: listed('OK') })).toBe('passes');
    }
  });
});
