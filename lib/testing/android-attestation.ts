import {
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type JsonWebKeyInput,
  type KeyObject,
} from 'node:crypto';
import {
  AttestationApplicationId,
  AttestationPackageInfo,
  AuthorizationList,
  id_ce_keyDescription,
  IntegerSet,
  KeyDescription,
  RootOfTrust,
  SecurityLevel,
  VerifiedBootState,
} from '@peculiar/asn1-android';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  BasicConstraints,
  Certificate,
  Extension,
  Extensions,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';
import type { PublicJwk } from '../token/claims.types.js';

/** Options of `createAndroidAttestationCa`. */
export interface AndroidAttestationCaOptions {
  /**
   * The shape of its chains: `rkp` (default) as Google's servers provision them, leaf, device, two servers and an EC root;
   * `factory`: leaf, device, batch and an RSA root.
   */
  readonly provisioning?: 'factory' | 'rkp';
  /** When its certificates are made, milliseconds since the epoch: they last 30 days from an hour before. Default the system clock. */
  readonly clock?: () => number;
}

/** What to attest. Defaults make what a good device says about a key in its trusted environment. */
export interface AndroidAttestationRequest {
  /** The attested key: P-256, P-384 or RSA. */
  readonly publicKey: PublicJwk | KeyObject;
  readonly challenge: Uint8Array;
  /** Default `com.example.app`. */
  readonly packageName?: string;
  /** SHA-256 of the app's signing certificate, hex; default 32 octets of 0x11. Null: no application id at all. */
  readonly signatureDigest?: string | null;
  /** Default 1. */
  readonly versionCode?: number;
  /** Default `tee`. */
  readonly securityLevel?: 'software' | 'tee' | 'strongbox';
  /** What holds the key, where that differs; default `securityLevel`. */
  readonly keyMintSecurityLevel?: 'software' | 'tee' | 'strongbox';
  /** Default `VERIFIED`. Null: no root of trust at all. */
  readonly verifiedBootState?: 'VERIFIED' | 'SELF_SIGNED' | 'UNVERIFIED' | 'FAILED' | null;
  /** Default true. */
  readonly deviceLocked?: boolean;
  /** Default 300. */
  readonly attestationVersion?: number;
  /** KeyMint's KeyOrigin; default 0, GENERATED. Null: absent. */
  readonly origin?: number | null;
  /** KeyMint's KeyPurpose; default 2 and 3, SIGN and VERIFY. */
  readonly purpose?: readonly number[];
  /** Default 150000. */
  readonly osVersion?: number;
  /** Default 202504. */
  readonly osPatchLevel?: number;
  /** Whether the chain ends with the root's own certificate; default true. */
  readonly includeRoot?: boolean;
  /** Laid over the hardware's list; undefined removes a field. */
  readonly hardwareEnforced?: Partial<AuthorizationList>;
  /** Laid over the system's list; undefined removes a field. */
  readonly softwareEnforced?: Partial<AuthorizationList>;
  /** The attestation extension itself, in place of all the above; null: none. */
  readonly extension?: Uint8Array | null;
  /** Changes one certificate before it is signed: 0 is the leaf. */
  readonly change?: (certificate: TBSCertificate, index: number) => void;
}

/** An authority for tests that attests keys as Android devices do. Its keys are its own, so nothing trusts it by itself. */
export interface AndroidAttestationCa {
  /** PEM of the root, for the `roots` of `androidKeyAttestation`. */
  readonly root: string;
  /** Private keys of the chain, for tests that forge: device first, root last. */
  readonly privateKeys: readonly KeyObject[];
  /** Makes a chain, leaf first: DER in base64, as `x5c` of the statement. */
  attest(request: AndroidAttestationRequest): string[];
}

interface Party {
  readonly subject: Name;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const LEVELS = {
  software: SecurityLevel.software,
  tee: SecurityLevel.trustedEnvironment,
  strongbox: SecurityLevel.strongBox,
} as const;
const BOOT_STATES = {
  VERIFIED: VerifiedBootState.verified,
  SELF_SIGNED: VerifiedBootState.selfSigned,
  UNVERIFIED: VerifiedBootState.unverified,
  FAILED: VerifiedBootState.failed,
} as const;
const CN = '2.5.4.3';
const SERIAL_NUMBER = '2.5.4.5';
const ORGANIZATION = '2.5.4.10';
const TITLE = '2.5.4.12';
const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const RSA_SHA256 = '1.2.840.113549.1.1.11';
const DER_NULL = new Uint8Array([0x05, 0x00]);
const EC_ALGORITHM = 3;
const RSA_ALGORITHM = 1;
const CURVE_NUMBERS: Readonly<Record<string, number>> = { prime256v1: 1, secp384r1: 2, secp521r1: 3 };
const DEFAULT_DIGEST = '11'.repeat(32);

function bufferOf(octets: Uint8Array): ArrayBuffer {
  return Uint8Array.from(octets).buffer;
}

function nameOf(...attributes: readonly (readonly [type: string, value: string])[]): Name {
  return new Name(
    attributes.map(
      ([type, value]) =>
        new RelativeDistinguishedName([
          new AttributeTypeAndValue({ type, value: new AttributeValue({ printableString: value }) }),
        ]),
    ),
  );
}

function partyOf(subject: Name, type: 'ec' | 'rsa' = 'ec'): Party {
  const keys =
    type === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { subject, ...keys };
}

/** Device first, root last. */
function partiesOf(provisioning: 'factory' | 'rkp'): Party[] {
  const device = randomBytes(16).toString('hex');
  if (provisioning === 'factory') {
    return [
      partyOf(nameOf([SERIAL_NUMBER, device.slice(0, 16)], [TITLE, 'TEE'])),
      partyOf(nameOf([SERIAL_NUMBER, device.slice(16)], [TITLE, 'TEE'])),
      partyOf(nameOf([SERIAL_NUMBER, 'test-root']), 'rsa'),
    ];
  }
  return [
    partyOf(nameOf([CN, device], [ORGANIZATION, 'TEE'])),
    partyOf(nameOf([ORGANIZATION, 'Test'], [CN, 'Test CA3'])),
    partyOf(nameOf([ORGANIZATION, 'Test'], [CN, 'Test CA2'])),
    partyOf(nameOf([CN, 'Test Key Attestation CA1'])),
  ];
}

function extensionOf(id: string, value: object | Uint8Array, critical = true): Extension {
  const octets = value instanceof Uint8Array ? bufferOf(value) : AsnConvert.serialize(value);
  return new Extension({ extnID: id, critical, extnValue: new OctetString(octets) });
}

function caExtensions(): Extension[] {
  return [
    extensionOf(id_ce_basicConstraints, new BasicConstraints({ cA: true })),
    extensionOf(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign)),
  ];
}

/** Positive, as a serial must be. */
function serialNumber(): ArrayBuffer {
  const octets = randomBytes(16);
  octets[0] = 0x40 | ((octets[0] as number) & 0x3f);
  return bufferOf(octets);
}

function tbsOf(
  subject: Name,
  publicKey: KeyObject,
  issuer: Party,
  validity: Validity,
  extensions: Extension[],
): TBSCertificate {
  const rsa = issuer.privateKey.asymmetricKeyType === 'rsa';
  return new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: new AlgorithmIdentifier(
      rsa ? { algorithm: RSA_SHA256, parameters: bufferOf(DER_NULL) } : { algorithm: ECDSA_SHA256 },
    ),
    issuer: issuer.subject,
    validity,
    subject,
    subjectPublicKeyInfo: AsnConvert.parse(
      bufferOf(publicKey.export({ type: 'spki', format: 'der' })),
      SubjectPublicKeyInfo,
    ),
    extensions: new Extensions(extensions),
  });
}

function signed(tbs: TBSCertificate, issuer: Party): Buffer {
  const octets = Buffer.from(AsnConvert.serialize(tbs));
  const certificate = new Certificate({
    tbsCertificate: tbs,
    signatureAlgorithm: tbs.signature,
    signatureValue: bufferOf(sign('sha256', octets, issuer.privateKey)),
  });
  return Buffer.from(AsnConvert.serialize(certificate));
}

function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function applicationIdOf({ packageName, signatureDigest, versionCode }: AndroidAttestationRequest): OctetString {
  const id = new AttestationApplicationId({
    packageInfos: [
      new AttestationPackageInfo({
        packageName: new OctetString(Buffer.from(packageName ?? 'com.example.app')),
        version: versionCode ?? 1,
      }),
    ],
    signatureDigests: [new OctetString(Buffer.from(signatureDigest ?? DEFAULT_DIGEST, 'hex'))],
  });
  return new OctetString(AsnConvert.serialize(id));
}

function keyFacts(key: KeyObject): Partial<AuthorizationList> {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') return { algorithm: RSA_ALGORITHM, keySize: modulusLength };
  return { algorithm: EC_ALGORITHM, ecCurve: CURVE_NUMBERS[namedCurve ?? ''] };
}

function rootOfTrustOf({ verifiedBootState, deviceLocked }: AndroidAttestationRequest): RootOfTrust | undefined {
  if (verifiedBootState === null) return undefined;
  return new RootOfTrust({
    verifiedBootKey: new OctetString(Buffer.alloc(32, 0x22)),
    deviceLocked: deviceLocked ?? true,
    verifiedBootState: BOOT_STATES[verifiedBootState ?? 'VERIFIED'],
    verifiedBootHash: new OctetString(Buffer.alloc(32, 0x33)),
  });
}

/** What holds of the key itself, wherever it lives. */
function enforcedOf(request: AndroidAttestationRequest, key: KeyObject): Partial<AuthorizationList> {
  const { origin, purpose = [2, 3], osVersion = 150_000, osPatchLevel = 202_504 } = request;
  return {
    purpose: new IntegerSet([...purpose]),
    ...keyFacts(key),
    digest: new IntegerSet([4]),
    noAuthRequired: null,
    origin: origin === null ? undefined : (origin ?? 0),
    rootOfTrust: rootOfTrustOf(request),
    osVersion,
    osPatchLevel,
  };
}

function descriptionOf(request: AndroidAttestationRequest, key: KeyObject, now: number): KeyDescription {
  const { securityLevel = 'tee', attestationVersion = 300, challenge } = request;
  const keyMintSecurityLevel = request.keyMintSecurityLevel ?? securityLevel;
  const enforced = enforcedOf(request, key);
  const inSoftware = keyMintSecurityLevel === 'software';
  return new KeyDescription({
    attestationVersion,
    attestationSecurityLevel: LEVELS[securityLevel],
    keymasterVersion: attestationVersion,
    keymasterSecurityLevel: LEVELS[keyMintSecurityLevel],
    attestationChallenge: new OctetString(bufferOf(challenge)),
    uniqueId: new OctetString(new ArrayBuffer(0)),
    softwareEnforced: new AuthorizationList({
      ...(inSoftware ? enforced : {}),
      creationDateTime: now,
      attestationApplicationId: request.signatureDigest === null ? undefined : applicationIdOf(request),
      ...request.softwareEnforced,
    }),
    teeEnforced: new AuthorizationList({ ...(inSoftware ? {} : enforced), ...request.hardwareEnforced }),
  });
}

function leafExtensions(request: AndroidAttestationRequest, key: KeyObject, now: number): Extension[] {
  const usage = extensionOf(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature));
  if (request.extension === null) return [usage];
  const value = request.extension ?? descriptionOf(request, key, now);
  return [usage, extensionOf(id_ce_keyDescription, value, false)];
}

function validityOf(notBefore: number, notAfter: number): Validity {
  return new Validity({ notBefore: new Date(notBefore), notAfter: new Date(notAfter) });
}

function keyObjectOf(publicKey: PublicJwk | KeyObject): KeyObject {
  if ('kty' in publicKey) return createPublicKey({ key: { ...publicKey } as JsonWebKeyInput['key'], format: 'jwk' });
  return publicKey;
}

/**
 * Makes an authority that attests keys as Android devices do, with keys of its own.
 *
 * @example
 * const ca = createAndroidAttestationCa();
 * const attester = androidKeyAttestation({ packageName, signatureDigests, roots: [ca.root], revocation: 'unchecked' });
 * const statement = { x5c: ca.attest({ publicKey, challenge, packageName, signatureDigest }) };
 */
export function createAndroidAttestationCa(options: AndroidAttestationCaOptions = {}): AndroidAttestationCa {
  const { provisioning = 'rkp', clock = Date.now } = options;
  const made = Math.floor(clock() / 1000) * 1000;
  const parties = partiesOf(provisioning);
  const root = parties.at(-1) as Party;
  const validity = () => validityOf(made - HOUR, made + 30 * DAY);
  const caOf = (party: Party, index: number) =>
    tbsOf(party.subject, party.publicKey, parties[index + 1] ?? party, validity(), caExtensions());
  const unchanged = parties.map(caOf);
  return {
    root: pemOf(signed(unchanged.at(-1) as TBSCertificate, root)),
    privateKeys: parties.map(({ privateKey }) => privateKey),
    attest: (request) => {
      const key = keyObjectOf(request.publicKey);
      const device = parties[0] as Party;
      const life = validityOf(0, Date.UTC(2048, 0, 1));
      const leaf = tbsOf(nameOf([CN, 'Android Keystore Key']), key, device, life, leafExtensions(request, key, made));
      const all = [leaf, ...(request.change === undefined ? unchanged : parties.map(caOf))];
      const chain = all.map((tbs, index) => {
        request.change?.(tbs, index);
        return signed(tbs, parties[index] ?? root).toString('base64');
      });
      return (request.includeRoot ?? true) ? chain : chain.slice(0, -1);
    },
  };
}
