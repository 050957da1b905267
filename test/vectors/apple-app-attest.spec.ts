import { createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { decode, encode } from 'cborg';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../../lib/attestation/attestation-error.js';
import type {
  AppleAssertionInput,
  AppleAttestationInput,
  AppleAttestedKey,
  AppleEnvironment,
} from '../../lib/attestation/apple/apple.types.js';
import { APPLE_APP_ATTEST_ROOTS } from '../../lib/attestation/apple/roots.js';
import { verifyAppleAssertion } from '../../lib/attestation/apple/verify-assertion.js';
import { verifyAppleAttestation } from '../../lib/attestation/apple/verify-attestation.js';
import { describeVectors, type VectorTopic } from '../utils/vectors.js';

interface AttestationVector {
  readonly id: string;
  readonly environment: AppleEnvironment;
  readonly appId: string;
  readonly teamId: string;
  readonly bundleId: string;
  readonly keyIdB64: string;
  readonly clientDataHashB64: string;
  readonly attestationB64: string;
  readonly evaluateAt: string;
  readonly leafValidity: readonly [string, string];
  readonly publicKeyPem: string;
  readonly expected: string;
}

interface AssertionVector {
  readonly id: string;
  readonly appId: string;
  readonly publicKeyPem: string;
  readonly clientDataHashB64: string;
  readonly assertionB64: string;
  readonly storedCounterBefore: number;
  readonly expectedNewCounter: number;
  readonly rejectIfStoredCounterAtLeast?: number;
  readonly expected: string;
}

interface AttestationObject {
  fmt: string;
  attStmt: { x5c: Uint8Array[]; receipt: Uint8Array };
  authData: Uint8Array;
}

interface AssertionObject {
  signature: Uint8Array;
  authenticatorData: Uint8Array;
}

/** TAB_FUZZ=full: every bit of every octet. */
const FULL = process.env['TAB_FUZZ'] === 'full';

/** Every file of a folder, so that further ones are judged as they come. */
function load<T>(vectors: VectorTopic, folder: string): (readonly [string, T])[] {
  if (!existsSync(vectors.path(folder))) return [];
  const files = readdirSync(vectors.path(folder)).filter((file) => file.endsWith('.json'));
  return files.map((file) => [file, vectors.json<T>(`${folder}/${file}`)] as const);
}

function octets(base64: string): Buffer {
  return Buffer.from(base64, 'base64');
}

function jwkOf(pem: string): AppleAttestedKey {
  const { x = '', y = '' } = createPublicKey(pem).export({ format: 'jwk' });
  return { kty: 'EC', crv: 'P-256', x, y };
}

function attestationInput(vector: AttestationVector): AppleAttestationInput {
  return {
    attestationObject: octets(vector.attestationB64),
    keyId: vector.keyIdB64,
    clientDataHash: octets(vector.clientDataHashB64),
    appId: vector.appId,
    environment: vector.environment,
    now: new Date(vector.evaluateAt),
  };
}

function assertionInput(vector: AssertionVector): AppleAssertionInput {
  return {
    assertion: octets(vector.assertionB64),
    clientDataHash: octets(vector.clientDataHashB64),
    publicKey: jwkOf(vector.publicKeyPem),
    appId: vector.appId,
    previousCounter: vector.storedCounterBefore,
  };
}

/** The failed check, or undefined when it passed; any other error is a fault of its own. */
function checkOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof AttestationError) return error.check;
    throw error;
  }
}

function attestationCheck(input: AppleAttestationInput): string | undefined {
  return checkOf(() => verifyAppleAttestation(input));
}

function assertionCheck(input: AppleAssertionInput): string | undefined {
  return checkOf(() => verifyAppleAssertion(input));
}

/** An attestation object with some of it changed. */
function changed(vector: AttestationVector, change: (object: AttestationObject) => unknown): AppleAttestationInput {
  const object = decode(octets(vector.attestationB64)) as AttestationObject;
  const result = change(object) ?? object;
  return { ...attestationInput(vector), attestationObject: Buffer.from(encode(result)) };
}

/** The same for an assertion. */
function changedAssertion(vector: AssertionVector, change: (object: AssertionObject) => unknown): AppleAssertionInput {
  const object = decode(octets(vector.assertionB64)) as AssertionObject;
  const result = change(object) ?? object;
  return { ...assertionInput(vector), assertion: Buffer.from(encode(result)) };
}

function flipped(data: Uint8Array, at: number, bits = 0x01): Buffer {
  const copy = Buffer.from(data);
  copy.writeUInt8(copy.readUInt8(at) ^ bits, at);
  return copy;
}

function lastFlipped(data: Uint8Array | undefined): Buffer {
  const present = data ?? Buffer.alloc(1);
  return flipped(present, present.length - 1);
}

const NONCE_OID = Buffer.from('06092a864886f763640802', 'hex');

/** A leaf of which the octets after the nonce extension's OID are changed; its signature no longer fits either. */
function withNonceChanged(leaf: Uint8Array | undefined, change: (copy: Buffer, at: number) => void): Buffer {
  const copy = Buffer.from(leaf ?? []);
  change(copy, copy.indexOf(NONCE_OID));
  return copy;
}

describeVectors('apple-app-attest', (vectors) => {
  const attestations = load<AttestationVector>(vectors, 'attestations');
  const assertions = load<AssertionVector>(vectors, 'assertions');
  const wrongRoot = vectors.text('roots/WRONG-ROOT_Apple_WebAuthn_Root_CA.pem');
  const other = attestations.find(([, { id }]) => id === 'kayak-2020-production') ?? attestations[0];

  it('has them', () => {
    expect(attestations.length).toBeGreaterThan(0);
    expect(assertions.length).toBeGreaterThan(0);
  });

  it('trusts the published root', () => {
    const published = new X509Certificate(vectors.text('roots/Apple_App_Attestation_Root_CA.pem'));
    expect(APPLE_APP_ATTEST_ROOTS.map((pem) => new X509Certificate(pem).fingerprint256)).toEqual([
      published.fingerprint256,
    ]);
  });

  describe.each(attestations)('attestations/%s', (_file, vector) => {
    const input = attestationInput(vector);
    const [notBefore, notAfter] = vector.leafValidity.map((time) => new Date(time).getTime()) as [number, number];

    it('is judged as stated, with the stated values', () => {
      if (vector.expected !== 'accept') {
        expect(attestationCheck(input)).toBeDefined();
        return;
      }
      const verified = verifyAppleAttestation(input);
      expect(verified).toMatchObject({
        keyId: vector.keyIdB64,
        appId: vector.appId,
        environment: vector.environment,
        publicKey: jwkOf(vector.publicKeyPem),
      });
      expect(verified.receipt).toEqual((decode(octets(vector.attestationB64)) as AttestationObject).attStmt.receipt);
    });

    it('is refused outside its validity', () => {
      for (const time of [notBefore - 1000, notAfter + 1000]) {
        expect(attestationCheck({ ...input, now: new Date(time) })).toBe('validity');
      }
      expect(attestationCheck({ ...input, now: new Date(Number.NaN) })).toBe('validity');
      if (notAfter < Date.now()) expect(attestationCheck({ ...input, now: undefined })).toBe('validity');
    });

    it('is refused for another challenge, key, environment or root', () => {
      const environment = vector.environment === 'production' ? 'development' : 'production';
      const keyId = lastFlipped(octets(vector.keyIdB64)).toString('base64');
      expect(attestationCheck({ ...input, clientDataHash: lastFlipped(input.clientDataHash) })).toBe('nonce');
      expect(attestationCheck({ ...input, clientDataHash: Buffer.alloc(0) })).toBe('nonce');
      expect(attestationCheck({ ...input, keyId })).toBe('key-id');
      expect(attestationCheck({ ...input, keyId: octets(keyId) })).toBe('key-id');
      expect(attestationCheck({ ...input, keyId: octets(vector.keyIdB64) })).toBeUndefined();
      expect(attestationCheck({ ...input, environment })).toBe('environment');
      expect(attestationCheck({ ...input, roots: [wrongRoot] })).toBe('trust-anchor');
    });

    it('is refused for another team or bundle, for the bundle alone, and in another case', () => {
      const { teamId, bundleId, appId } = vector;
      const others = [
        `AAAAAAAAAA.${bundleId}`,
        `${teamId}.com.example`,
        bundleId,
        appId.toUpperCase(),
        `${appId}.`,
        '',
      ];
      for (const otherId of others.filter((id) => id !== appId)) {
        expect(attestationCheck({ ...input, appId: otherId }), otherId).toBe('app-id');
      }
      expect(attestationCheck({ ...input, appId: [] })).toBe('app-id');
      expect(attestationCheck({ ...input, appId: ['AAAAAAAAAA.com.example', appId] })).toBeUndefined();
    });

    it('is refused when it is not whole', () => {
      const whole = input.attestationObject;
      for (const attestationObject of [whole.subarray(0, -1), whole.subarray(1), whole.subarray(0, 100)]) {
        expect(attestationCheck({ ...input, attestationObject })).toBe('cbor');
      }
      expect(attestationCheck({ ...input, attestationObject: Buffer.of(0xff) })).toBe('cbor');
      expect(attestationCheck({ ...input, attestationObject: Buffer.concat([whole, Buffer.of(0)]) })).toBe('cbor');
    });

    it('is refused without its members, or with members of another type', () => {
      expect(attestationCheck(changed(vector, (object) => ({ ...object, attStmt: undefined })))).toBe('cbor');
      expect(attestationCheck(changed(vector, (object) => ({ ...object, attStmt: 'x5c' })))).toBe('cbor');
      expect(attestationCheck(changed(vector, (object) => ({ ...object, fmt: 'apple' })))).toBe('cbor');
      for (const x5c of [null, 'text', 7, ['text', 'text'], [1, 2]]) {
        const input = changed(vector, (object) => ({ ...object, attStmt: { ...object.attStmt, x5c } }));
        expect(attestationCheck(input)).toBe('cbor');
      }
    });

    it('is refused with a chain of another length, in another order or of other certificates', () => {
      const withChain = (change: (x5c: Uint8Array[]) => Uint8Array[]) =>
        attestationCheck(
          changed(vector, (object) => ({ ...object, attStmt: { ...object.attStmt, x5c: change(object.attStmt.x5c) } })),
        );
      const root = new X509Certificate(APPLE_APP_ATTEST_ROOTS[0] ?? '').raw;
      expect(withChain(() => [])).toBe('chain-length');
      expect(withChain(([leaf]) => [leaf ?? root])).toBe('chain-length');
      expect(withChain(() => [root])).toBe('chain-length');
      expect(withChain((x5c) => [...x5c, root])).toBe('chain-length');
      expect(withChain((x5c) => Array.from({ length: 15 }, () => x5c).flat())).toBe('chain-length');
      expect(withChain(() => [Buffer.from('garbage'), Buffer.from('garbage')])).toBe('certificate');
      expect(withChain((x5c) => [...x5c].reverse())).toBeDefined();
      expect(withChain(([leaf]) => [leaf ?? root, new X509Certificate(wrongRoot).raw])).toBeDefined();
      expect(withChain(([, ca]) => [ca ?? root, root])).toBeDefined();
      expect(withChain(() => [root, root])).toBeDefined();
      expect(withChain(([leaf, ca]) => [lastFlipped(leaf), ca ?? root])).toBe('chain-signature');
      expect(withChain(([leaf, ca]) => [leaf ?? root, lastFlipped(ca)])).toBe('trust-anchor');
    });

    it('is refused when the nonce extension is not as certified', () => {
      const withLeaf = (change: (copy: Buffer, at: number) => void) =>
        attestationCheck(
          changed(vector, ({ attStmt: { x5c } }) => {
            x5c[0] = withNonceChanged(x5c[0], change);
          }),
        );
      // Under another OID, in another context tag, with another value: no change outlives the certificate's signature.
      expect(withLeaf((copy, at) => copy.writeUInt8(copy.readUInt8(at + 10) ^ 1, at + 10))).toBe('chain-signature');
      expect(withLeaf((copy, at) => copy.writeUInt8(0xa2, at + 15))).toBe('chain-signature');
      expect(withLeaf((copy, at) => copy.writeUInt8(copy.readUInt8(at + 20) ^ 1, at + 20))).toBe('chain-signature');
    });

    it('is refused with other authenticator data, whatever is changed in them', () => {
      const { authData } = decode(octets(vector.attestationB64)) as AttestationObject;
      const withData = (data: Uint8Array) =>
        attestationCheck(changed(vector, (object) => ({ ...object, authData: data })));
      // Application, counter, environment and credential id.
      for (const at of [0, 33, 36, 37, 55, 86]) expect(withData(flipped(authData, at)), `octet ${at}`).toBe('nonce');
      expect(withData(flipped(authData, 32, 0x40))).toBe('authenticator-data');
      expect(withData(flipped(authData, 54, 56))).toBe('authenticator-data');
      expect(withData(authData.subarray(0, 40))).toBe('authenticator-data');
      // Without member -3 of the key, without extensions, with something behind.
      expect(withData(authData.subarray(0, 87 + 42))).toBe('credential-key');
      expect(withData(Buffer.concat([authData, Buffer.of(0)]))).toBeDefined();
      expect(withData(Buffer.concat([authData, encode({ apple_bundle_version_01: '1' })]))).toBeDefined();
      if (authData.length > 164) expect(withData(authData.subarray(0, 164))).toMatch(/^(nonce|authenticator-data)$/);
    });

    it('is refused with the leaf or the data of another attestation', () => {
      if (other === undefined || other[1].id === vector.id) return;
      const foreign = decode(octets(other[1].attestationB64)) as AttestationObject;
      const mixed = changed(vector, (object) => ({ ...object, authData: foreign.authData }));
      expect(attestationCheck(mixed)).toBe('nonce');
    });
  });

  describe.each(assertions)('assertions/%s', (_file, vector) => {
    const input = assertionInput(vector);

    it('is judged as stated, with the stated counter', () => {
      if (vector.expected === 'accept') expect(verifyAppleAssertion(input).counter).toBe(vector.expectedNewCounter);
      else expect(assertionCheck(input)).toBeDefined();
    });

    it('is refused unless its counter is above the last one', () => {
      const least = vector.rejectIfStoredCounterAtLeast ?? vector.expectedNewCounter;
      for (const previousCounter of [least, least + 1, 2 ** 32, Number.NaN]) {
        expect(assertionCheck({ ...input, previousCounter })).toBe('counter');
      }
    });

    it('is refused for other client data, another key or another app', () => {
      const [, { publicKeyPem } = vector] = assertions.find(([, { id }]) => id !== vector.id) ?? [];
      expect(assertionCheck({ ...input, clientDataHash: lastFlipped(input.clientDataHash) })).toBe('signature');
      if (publicKeyPem !== vector.publicKeyPem)
        expect(assertionCheck({ ...input, publicKey: jwkOf(publicKeyPem) })).toBe('signature');
      expect(assertionCheck({ ...input, appId: 'AAAAAAAAAA.com.example' })).toBe('app-id');
    });

    it('is refused without its members, of another type, or cut short', () => {
      for (const member of ['signature', 'authenticatorData']) {
        expect(assertionCheck(changedAssertion(vector, (object) => ({ ...object, [member]: undefined })))).toBe('cbor');
        expect(assertionCheck(changedAssertion(vector, (object) => ({ ...object, [member]: 'text' })))).toBe('cbor');
      }
      const short = changedAssertion(vector, (object) => ({
        ...object,
        authenticatorData: object.authenticatorData.subarray(0, 33),
      }));
      expect(assertionCheck(short)).toBe('authenticator-data');
    });
  });

  describe('every octet of a real artefact, changed', () => {
    it('an attestation is refused, but for what nothing signs: the receipt and its name', () => {
      const [, vector] = attestations[0] as readonly [string, AttestationVector];
      const input = attestationInput(vector);
      const { receipt } = (decode(octets(vector.attestationB64)) as AttestationObject).attStmt;
      const begin = Buffer.from(input.attestationObject).indexOf(receipt);
      const name = Buffer.from(input.attestationObject).indexOf('receipt');
      // "receipt" under another name is an unknown member, and Apple's receipt has a signature of its own.
      const unsigned = (at: number) => (at >= begin && at < begin + receipt.length) || (at >= name && at < name + 7);
      for (let at = 0; at < input.attestationObject.length; at += 1) {
        // What nothing signs passes by definition; unless all is asked for, a part of it shows that nothing crashes.
        if (unsigned(at) && !FULL && at % 16 !== 0) continue;
        for (const bits of FULL ? [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80] : [1 << (at % 8)]) {
          const check = attestationCheck({ ...input, attestationObject: flipped(input.attestationObject, at, bits) });
          if (!unsigned(at)) expect(check, `octet ${at} ^ ${bits}`).toBeDefined();
        }
      }
    }, 600_000);

    it('an assertion is refused', () => {
      const [, vector] = assertions[0] as readonly [string, AssertionVector];
      const input = assertionInput(vector);
      for (let at = 0; at < input.assertion.length; at += 1) {
        for (let bit = 0; bit < 8; bit += 1) {
          const check = assertionCheck({ ...input, assertion: flipped(input.assertion, at, 1 << bit) });
          expect(check, `octet ${at}, bit ${bit}`).toBeDefined();
        }
      }
    });
  });
});
