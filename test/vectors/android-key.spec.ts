import { X509Certificate } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { KeyMintKeyDescription } from '@peculiar/asn1-android';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Validity } from '@peculiar/asn1-x509';
import { decode } from 'cborg';
import { expect, it } from 'vitest';
import { GOOGLE_HARDWARE_ROOTS } from '../../lib/attestation/android/roots.js';
import { KEY_DESCRIPTION, parseKeyDescription } from '../../lib/attestation/android/key-description.js';
import { readStatusList } from '../../lib/attestation/android/status-list.js';
import type { AndroidKeyEvidence } from '../../lib/attestation/android/android-key.types.js';
import { verifyAndroidKeyAttestation } from '../../lib/attestation/android/verify-android-key.js';
import { parseCertificate, trustAnchor } from '../../lib/attestation/x509/index.js';
import {
  aChain,
  checkOf,
  factory,
  NOW,
  someEvidence,
  type Request,
} from '../unit/attestation/android/android.fixture.js';
import { describeVectors, type VectorTopic } from '../utils/vectors.js';

interface ReadDescription {
  certIndex: number;
  attestationVersion: number;
  attestationSecurityLevel: string;
  keymasterVersion: number;
  keymasterSecurityLevel: string;
  challengeB64: string;
  softwareTags: number[];
  hardwareTags: number[];
  rootOfTrustHardware: { verifiedBootKeyHex: string; deviceLocked: boolean; verifiedBootState: string } | null;
  attestationApplicationId: {
    packages: { name: string; version: number }[];
    signatureDigestsHex: string[];
  } | null;
}
interface Chain {
  id: string;
  evaluateAt: string | null;
  expected: string;
  challengeB64: string | null;
  serialsHex: string[];
  keyDescriptionReadHere?: ReadDescription[];
  parsedBySource?: { hardwareEnforced?: { osVersion?: string; osPatchLevel?: string } };
}

const LEVELS: Record<string, string> = { Software: 'software', TrustedEnvironment: 'tee', StrongBox: 'strongbox' };
const STATES: Record<string, string> = {
  Verified: 'VERIFIED',
  SelfSigned: 'SELF_SIGNED',
  Unverified: 'UNVERIFIED',
  Failed: 'FAILED',
};
/** The most that a configuration can let through. */
const LENIENT = { allowUnverifiedBoot: true, allowUnlocked: true, allowSoftware: true } as const;
const PEM = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g;

function dersOf(pem: string): Buffer[] {
  return [...pem.matchAll(PEM)].map(([, text = '']) => Buffer.from(text, 'base64'));
}

function chainsOf(vectors: VectorTopic): { chain: Chain; x5c: Buffer[] }[] {
  const names = readdirSync(vectors.path('chains')).filter((name) => name.endsWith('.pem'));
  return names.map((name) => ({
    chain: vectors.json<Chain>(`chains/${name.replace(/pem$/, 'json')}`),
    x5c: dersOf(vectors.text(`chains/${name}`)),
  }));
}

const isAccepted = ({ expected }: Chain) => /^(?:chain )?accept/i.test(expected);
const normal = (serial: string) => serial.toLowerCase().replace(/^0+(?=.)/, '');

function evidenceOf(chain: Chain, x5c: Buffer[]): AndroidKeyEvidence {
  return {
    x5c,
    challenge: Buffer.from(chain.challengeB64 ?? chain.keyDescriptionReadHere?.[0]?.challengeB64 ?? '', 'base64'),
    now: new Date(chain.evaluateAt ?? NOW),
    policy: LENIENT,
  };
}

describeVectors('android-key-attestation', (vectors) => {
  const all = chainsOf(vectors);
  const accepted = all.filter(({ chain }) => isAccepted(chain));
  const rejected = all.filter(({ chain }) => !isAccepted(chain));

  it('there are chains to accept and chains to reject', () => {
    expect(accepted.length).toBeGreaterThan(0);
    expect(rejected.length).toBeGreaterThan(0);
  });

  it.each(accepted.map(({ chain, x5c }) => [chain.id, chain, x5c] as const))('accepts %s', (_id, chain, x5c) => {
    const [said] = chain.keyDescriptionReadHere ?? [];
    const app = said?.attestationApplicationId;
    const evidence = {
      ...evidenceOf(chain, x5c),
      packageName: app?.packages[0]?.name,
      signatureDigests: app?.signatureDigestsHex,
    };
    const attestation = verifyAndroidKeyAttestation(evidence);
    expect(attestation.serials).toEqual(chain.serialsHex.map(normal));
    expect(attestation.publicKey).toMatchObject(
      Object.fromEntries(Object.entries(new X509Certificate(x5c[0] as Buffer).publicKey.export({ format: 'jwk' }))),
    );
    if (said === undefined) return;
    expect(attestation).toMatchObject({
      attestationVersion: said.attestationVersion,
      keyMintVersion: said.keymasterVersion,
      securityLevel: LEVELS[said.keymasterSecurityLevel],
      verifiedBootState: STATES[said.rootOfTrustHardware?.verifiedBootState ?? ''],
      deviceLocked: said.rootOfTrustHardware?.deviceLocked,
      rootOfTrust: { verifiedBootKey: said.rootOfTrustHardware?.verifiedBootKeyHex },
      packages: app?.packages,
      signatureDigests: app?.signatureDigestsHex,
    });
    const { osVersion, osPatchLevel } = chain.parsedBySource?.hardwareEnforced ?? {};
    if (osVersion !== undefined) expect(attestation.osVersion).toBe(Number(osVersion));
    if (osPatchLevel !== undefined) expect(attestation.osPatchLevel).toBe(Number(osPatchLevel));
  });

  it.each(accepted.map(({ chain, x5c }) => [chain.id, chain, x5c] as const))(
    'accepts %s for nothing but what it was made for',
    (_id, chain, x5c) => {
      const evidence = evidenceOf(chain, x5c);
      const verdict = (changed: Partial<AndroidKeyEvidence>) =>
        checkOf(() => verifyAndroidKeyAttestation({ ...evidence, ...changed }));
      expect(verdict({})).toBe('passes');
      expect(verdict({ challenge: Buffer.from(evidence.challenge as Uint8Array).reverse() })).toBe('challenge');
      expect(verdict({ packageName: 'com.example.other' })).toBe('application');
      expect(verdict({ signatureDigests: ['00'.repeat(32)] })).toBe('signing-certificate');
      for (const serial of chain.serialsHex)
        expect(verdict({ revoked: (each) => each === normal(serial) }), serial).toBe('revoked');
      expect(verdict({ x5c: [...x5c].reverse() })).not.toBe('passes');
      expect(verdict({ x5c: x5c.slice(1) })).not.toBe('passes');
      expect(verdict({ roots: [factory.root] })).toBe('trust-anchor');
      const boot = chain.keyDescriptionReadHere?.[0]?.rootOfTrustHardware;
      const good = boot?.deviceLocked === true && boot.verifiedBootState === 'Verified';
      expect(verdict({ policy: {} }) === 'passes').toBe(good);
    },
  );

  it.each(accepted.map(({ chain, x5c }) => [chain.id, chain, x5c] as const))(
    'judges %s without its root, and its dates when they count',
    (_id, chain, x5c) => {
      const evidence = evidenceOf(chain, x5c);
      const { provisioning } = verifyAndroidKeyAttestation(evidence);
      const last = new X509Certificate(x5c.at(-1) as Buffer);
      if (last.subject === last.issuer)
        expect(checkOf(() => verifyAndroidKeyAttestation({ ...evidence, x5c: x5c.slice(0, -1) }))).toBe('passes');
      const late = { ...evidence, now: new Date('2040-01-01T00:00:00Z') };
      expect(checkOf(() => verifyAndroidKeyAttestation(late))).toBe(provisioning === 'rkp' ? 'validity' : 'passes');
    },
  );

  it.each(rejected.map(({ chain, x5c }) => [chain.id, chain, x5c] as const))(
    'rejects %s, however lenient',
    (_id, chain, x5c) => {
      expect(checkOf(() => verifyAndroidKeyAttestation(evidenceOf(chain, x5c)))).not.toBe('passes');
    },
  );

  it('rejects the chains of WebAuthn attestations that lead elsewhere', () => {
    for (const name of readdirSync(vectors.path('webauthn-android-key'))) {
      const { attestationObjectB64url } = vectors.json<{ attestationObjectB64url?: string }>(
        `webauthn-android-key/${name}`,
      );
      const { attStmt } = decode(Buffer.from(attestationObjectB64url ?? '', 'base64url')) as {
        attStmt: { x5c: Uint8Array[] };
      };
      const evidence = { x5c: attStmt.x5c, challenge: Buffer.alloc(32), now: new Date(NOW), policy: LENIENT };
      expect(
        checkOf(() => verifyAndroidKeyAttestation(evidence)),
        name,
      ).toBe('trust-anchor');
    }
  });

  it('reads certificates as OpenSSL does', () => {
    for (const { chain, x5c } of all) {
      for (const der of x5c) {
        const theirs = new X509Certificate(der);
        const ours = parseCertificate(der);
        expect(ours.serialHex, chain.id).toBe(normal(theirs.serialNumber));
        expect(ours.notBefore.getTime(), chain.id).toBe(Date.parse(theirs.validFrom));
        expect(ours.notAfter.getTime(), chain.id).toBe(Date.parse(theirs.validTo));
        expect(ours.basicConstraints?.ca ?? false, chain.id).toBe(theirs.ca);
        expect(ours.subject.map(({ value }) => value).sort(), chain.id).toEqual(valuesOf(theirs.subject));
        expect(ours.issuer.map(({ value }) => value).sort(), chain.id).toEqual(valuesOf(theirs.issuer));
      }
    }
  });

  it('reads key descriptions as another reader does', () => {
    for (const { chain, x5c } of all.filter(({ chain }) => !chain.expected.includes('must not parse'))) {
      const value = parseCertificate(x5c[0] as Buffer).extensions.get(KEY_DESCRIPTION)?.value as Uint8Array;
      const ours = parseKeyDescription(value);
      const theirs = AsnConvert.parse(value, KeyMintKeyDescription);
      expect(ours.attestationVersion, chain.id).toBe(theirs.attestationVersion);
      expect(ours.keyMintVersion, chain.id).toBe(theirs.keyMintVersion);
      expect(Buffer.from(ours.attestationChallenge), chain.id).toEqual(Buffer.from(theirs.attestationChallenge.buffer));
      for (const list of ['softwareEnforced', 'hardwareEnforced'] as const) {
        for (const field of ['algorithm', 'keySize', 'origin', 'osVersion', 'osPatchLevel'] as const)
          expect(ours[list][field], `${chain.id} ${field}`).toBe(theirs[list][field]);
        expect(ours[list].purpose, chain.id).toEqual(
          theirs[list].purpose === undefined ? undefined : [...theirs[list].purpose],
        );
        expect(ours[list].rootOfTrust?.deviceLocked, chain.id).toBe(theirs[list].rootOfTrust?.deviceLocked);
        expect(ours[list].unknown.size, chain.id).toBe(0);
      }
    }
  });

  it('no octet of a chain can be changed', () => {
    const [{ chain, x5c }] = accepted as [{ chain: Chain; x5c: Buffer[] }];
    const evidence = evidenceOf(chain, x5c);
    // Nothing lies outside of what is signed: a root's own certificate counts by its key, and must be signed by it.
    const outside: string[] = [];
    x5c.forEach((der, index) => {
      for (let offset = 0; offset < der.length; offset += 1) {
        const changed = Buffer.from(der);
        changed[offset] = (changed[offset] as number) ^ 0x01;
        const mutated = { ...evidence, x5c: x5c.with(index, changed) };
        if (checkOf(() => verifyAndroidKeyAttestation(mutated)) === 'passes') outside.push(`${index}:${offset}`);
      }
    });
    expect(outside).toEqual([]);
  }, 120_000);

  it('the roots are those that Google publishes', () => {
    const published = vectors.json<{ roots: { sha256: string; source: string }[] }>('roots/roots.json').roots;
    const current = published.filter(({ source }) => source.includes('publishes today')).map(({ sha256 }) => sha256);
    expect(GOOGLE_HARDWARE_ROOTS.map((pem) => new X509Certificate(pem).fingerprint256).sort()).toEqual(current.sort());
    const keys = GOOGLE_HARDWARE_ROOTS.map((pem) => Buffer.from(trustAnchor(pem).spki).toString('hex'));
    for (const name of readdirSync(vectors.path('roots')).filter((each) => each.endsWith('.pem')))
      expect(keys, name).toContain(Buffer.from(trustAnchor(vectors.text(`roots/${name}`)).spki).toString('hex'));
  });

  it('matches the serials of status lists in both their spellings', () => {
    for (const name of readdirSync(vectors.path('revocation')).filter((each) => each.endsWith('.json'))) {
      const text = vectors.text(`revocation/${name}`);
      const { entries } = JSON.parse(text) as { entries: Record<string, unknown> };
      const revoked = readStatusList(text);
      for (const serial of Object.keys(entries)) {
        expect(revoked(serial), `${name} ${serial}`).toBe(true);
        if (/^\d+$/.test(serial)) expect(revoked(BigInt(serial).toString(16)), `${name} ${serial}`).toBe(true);
      }
      for (const { chain } of all) expect(chain.serialsHex.some(revoked), chain.id).toBe(false);
    }
  });
});

/** The values of a name as Node prints it, commas within values unescaped. */
function valuesOf(name: string): string[] {
  return name
    .split('\n')
    .map((line) => line.slice(line.indexOf('=') + 1).replaceAll('\\,', ','))
    .sort();
}

/** Restated facts, each by words that only it has, shown on chains of a test authority. */
const RESTATED: readonly [words: string, verdict: string, evidence: () => Partial<AndroidKeyEvidence>][] = [
  ['not one of the trusted root keys', 'trust-anchor', () => ({ roots: [factory.root] })],
  ['chain extended', 'attestation-extension', () => requesting({ change: stolenExtension(1) })],
  ['no certificate has the attestation extension', 'attestation-extension', () => requesting({ extension: null })],
  ['not in ascending order', 'key-description', () => requesting({ extension: disordered() })],
  ['rootOfTrust only in softwareEnforced', 'root-of-trust', () => requesting({ verifiedBootState: null })],
  ['differs from keyMintSecurityLevel', 'security-level', () => requesting({ keyMintSecurityLevel: 'software' })],
  [
    'wrong issuer name',
    'chain-name',
    () => requesting({ change: (tbs, index) => void (index === 1 && (tbs.issuer = tbs.subject)) }),
  ],
  ['does not fit the issuer key', 'chain-signature', () => requesting({ change: claimRsa })],
  ['LEAF expired', 'passes', () => requesting({ change: datedLeaf(Date.UTC(1970, 0, 1), Date.UTC(1970, 0, 2)) })],
  ['expired intermediate', 'validity', () => ({ now: new Date(NOW + 4 * 365 * 86_400_000) })],
  [
    'non-CA certificate',
    'chain-ca',
    () => requesting({ change: (tbs, index) => void (index === 1 && (tbs.extensions = undefined)) }),
  ],
  ['status OK', 'passes', () => ({ revoked: readStatusList('{"entries":{"1":{"status":"OK"}}}') })],
  ['challenge reversed', 'challenge', () => ({ challenge: Buffer.alloc(32, 8) })],
  ['below the minimum', 'patch-level', () => ({ policy: { minOsPatchLevel: 202_505 } })],
  ['malformed patch level', 'passes', () => requesting({ osPatchLevel: 202_500 })],
];

function requesting(request: Request): Partial<AndroidKeyEvidence> {
  return { x5c: aChain(request) };
}

function stolenExtension(at: number): NonNullable<Request['change']> {
  let stolen: NonNullable<Parameters<NonNullable<Request['change']>>[0]['extensions']>[number] | undefined;
  return (tbs, index) => {
    if (index === 0) stolen = tbs.extensions?.find(({ extnID }) => extnID === KEY_DESCRIPTION);
    if (index === at && stolen !== undefined) tbs.extensions?.push(stolen);
  };
}

/** A leaf that is valid, by its own word, between these times. */
function datedLeaf(notBefore: number, notAfter: number): NonNullable<Request['change']> {
  return (tbs, index) => {
    if (index !== 0) return;
    tbs.validity = new Validity({ notBefore: new Date(notBefore), notAfter: new Date(notAfter) });
  };
}

const claimRsa: NonNullable<Request['change']> = (tbs, index) => {
  if (index !== 0) return;
  tbs.signature.algorithm = '1.2.840.113549.1.1.11';
  tbs.signature.parameters = Uint8Array.of(5, 0).buffer;
};

/** A description whose first two hardware tags are swapped. */
function disordered(): Uint8Array {
  const leaf = parseCertificate(Buffer.from(aChain()[0] as string, 'base64'));
  const value = Buffer.from(leaf.extensions.get(KEY_DESCRIPTION)?.value as Uint8Array);
  const [first, second] = [Buffer.from('a203020103', 'hex'), Buffer.from('aa03020101', 'hex')];
  const [at, later] = [value.indexOf(first), value.indexOf(second)];
  expect(at).toBeGreaterThan(0);
  expect(later).toBeGreaterThan(at);
  second.copy(value, at);
  first.copy(value, later);
  return value;
}

describeVectors('android-key-attestation', (vectors) => {
  const { cases } = vectors.json<{ cases: { m: string; e: string }[] }>('negative-cases.json');

  it.each(cases.map(({ m, e }) => [m, e] as const))('restated: %s', (m) => {
    const known = RESTATED.filter(([words]) => m.includes(words));
    expect(known, 'a restated fact without a case here').toHaveLength(1);
    const [[, verdict, evidence]] = known as [(typeof RESTATED)[number]];
    expect(checkOf(() => verifyAndroidKeyAttestation(someEvidence(evidence())))).toBe(verdict);
  });
});
