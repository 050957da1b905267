import {
  readAssertionData,
  readAttestationData,
  type AttestationData,
} from '../../attestation/apple/authenticator-data.js';
import { reject } from '../../attestation/apple/apple-check.js';
import type { AppleEnvironment } from '../../attestation/apple/apple.types.js';
import { decodeCborMap } from '../../attestation/apple/cbor.js';
import { verifyCertificates, type AttestedCertificate } from '../../attestation/apple/certificates.js';
import { APPLE_APP_ATTEST_ROOTS } from '../../attestation/apple/roots.js';
import { checkAppId } from '../../attestation/apple/rules.js';
import {
  AAGUIDS,
  checkEnvironment,
  checkKey,
  checkNonce,
  checkUnused,
  readAttestationObject,
  type AttestationObject,
} from '../../attestation/apple/verify-attestation.js';
import { certificateFacts } from './certificates.js';
import { attempt, check, fact, facts, group, unchecked, type Finding } from './finding.js';
import type { Judgement } from './judgement.js';

/** An attestation object of Apple App Attest. */
export function inspectAppleAttestation(octets: Uint8Array, judgement: Judgement): Finding {
  const [object, structure] = attempt('structure', () => readAttestationObject(octets));
  const children = object === undefined ? [] : objectFindings(object, judgement);
  return group('App Attest attestation', [fact('size', `${octets.length} octets`), structure, ...children]);
}

function objectFindings(object: AttestationObject, judgement: Judgement): Finding[] {
  const { roots = APPLE_APP_ATTEST_ROOTS, now } = judgement;
  const [data, form] = attempt('authenticator data', () => readAttestationData(object.authData));
  const [certificate, chain] = attempt('certificates', () => verifyCertificates(object.x5c, roots, now));
  const said = data === undefined ? [] : [dataFacts(data)];
  const checks = [form, chain];
  if (certificate !== undefined) checks.push(nonceCheck(certificate, object.authData, judgement));
  if (data !== undefined) checks.push(...dataChecks(data, judgement));
  if (data !== undefined && certificate !== undefined) checks.push(keyCheck(certificate, data, judgement));
  return [certificateFacts(object.x5c), ...said, receiptFact(object), group('checks', checks)];
}

function keyCheck(certificate: AttestedCertificate, data: AttestationData, { keyId }: Judgement): Finding {
  const named = keyId ?? data.credentialId.toString('base64');
  return check(keyId === undefined ? 'key, by the id in the evidence' : 'key', () =>
    checkKey(named, certificate, data),
  );
}

function dataChecks(data: AttestationData, { appId, environment }: Judgement): Finding[] {
  const made = environment ?? environmentOf(data.aaguid) ?? 'production';
  const known = check('environment', () => checkEnvironment(data, made));
  const open = environment === undefined && known.verdict === 'ok';
  return [
    appCheck(data.rpIdHash, appId),
    check('counter', () => checkUnused(data)),
    open ? unchecked('environment', `needs --environment; it says ${made}`) : known,
  ];
}

function dataFacts(data: AttestationData): Finding {
  return facts('authenticator data', {
    'app id hash': data.rpIdHash.toString('hex'),
    counter: data.counter,
    environment: environmentOf(data.aaguid) ?? `unknown: ${data.aaguid.toString('hex')}`,
    'key id': data.credentialId.toString('base64'),
    ...data.extensions,
  });
}

function environmentOf(aaguid: Buffer): AppleEnvironment | undefined {
  return (['development', 'production'] as const).find((name) => AAGUIDS[name].equals(aaguid));
}

function receiptFact({ receipt }: AttestationObject): Finding {
  return fact('receipt', receipt === undefined ? 'absent' : `${receipt.length} octets, opaque`);
}

function nonceCheck(certificate: AttestedCertificate, authData: Uint8Array, { binding }: Judgement): Finding {
  if (binding === undefined) return unchecked('nonce', 'needs --binding: the clientDataHash that the app passed');
  return check('nonce', () => checkNonce(certificate, authData, binding));
}

function appCheck(rpIdHash: Buffer, appId: string | undefined): Finding {
  if (appId === undefined) return unchecked('app id', 'needs --app-id: TEAMID.bundle.id');
  return check('app id', () => checkAppId(rpIdHash, [appId]));
}

/** An assertion of Apple App Attest. */
export function inspectAppleAssertion(octets: Uint8Array, { appId }: Judgement): Finding {
  const [data, structure] = attempt('structure', () => {
    const authenticatorData: unknown = decodeCborMap(octets)?.get('authenticatorData');
    return authenticatorData instanceof Uint8Array
      ? readAssertionData(authenticatorData)
      : reject('cbor', 'authenticatorData is not a byte string');
  });
  const said =
    data === undefined
      ? []
      : [
          facts('authenticator data', {
            'app id hash': data.rpIdHash.toString('hex'),
            counter: data.counter,
            ...data.extensions,
          }),
          appCheck(data.rpIdHash, appId),
        ];
  return group('App Attest assertion', [
    structure,
    ...said,
    unchecked('signature', 'needs the attested key'),
    unchecked('counter', 'needs the last counter'),
  ]);
}
