import { KEY_DESCRIPTION, parseKeyDescription } from '../../attestation/android/key-description.js';
import type { KeyDescription } from '../../attestation/android/key-description.types.js';
import { verifyAndroidKeyAttestation } from '../../attestation/android/verify-android-key.js';
import { parseCertificate } from '../../attestation/x509/index.js';
import { certificateFacts } from './certificates.js';
import { attempt, check, fact, facts, group, unchecked, type Finding } from './finding.js';
import type { Judgement } from './judgement.js';

/** A certificate chain, leaf first: an Android key attestation, or nothing that is known here. */
export function inspectChain(ders: readonly Uint8Array[], judgement: Judgement): Finding {
  const [leaf, form] = attempt('leaf', () => parseCertificate(ders[0] ?? new Uint8Array()));
  const extension = leaf?.extensions.get(KEY_DESCRIPTION);
  if (extension !== undefined) return inspectAndroid(ders, extension.value, judgement);
  const missing: Finding = {
    label: 'attestation extension',
    value: 'the leaf has none: not an Android key attestation',
    verdict: 'refused',
  };
  return group('certificate chain', [certificateFacts(ders), leaf === undefined ? form : missing]);
}

function inspectAndroid(ders: readonly Uint8Array[], extension: Uint8Array, judgement: Judgement): Finding {
  const [description, form] = attempt('key description', () => parseKeyDescription(extension));
  const said = description === undefined ? [] : descriptionFacts(description);
  const checks = [form, ...(description === undefined ? [] : [verifierCheck(ders, description, judgement)])];
  const { binding, packageName, digests } = judgement;
  if (binding === undefined) checks.push(unchecked('challenge', 'needs --binding or --challenge'));
  if (packageName === undefined) checks.push(unchecked('application', 'needs --package'));
  if (digests === undefined) checks.push(unchecked('signing certificate', 'needs --digest'));
  checks.push(unchecked('revocation', "needs Google's list"));
  return group('Android key attestation', [certificateFacts(ders), ...said, group('checks', checks)]);
}

/** The verifier itself; where no challenge is given, with the one in the evidence, so that the rest is judged. */
function verifierCheck(ders: readonly Uint8Array[], description: KeyDescription, judgement: Judgement): Finding {
  const { binding, packageName, digests, roots, now } = judgement;
  const challenge = binding ?? description.attestationChallenge;
  return check('verification', () =>
    verifyAndroidKeyAttestation({ x5c: ders, challenge, packageName, signatureDigests: digests, roots, now }),
  );
}

function descriptionFacts(description: KeyDescription): Finding[] {
  const { softwareEnforced, hardwareEnforced, attestationChallenge, uniqueId: _private, ...versions } = description;
  return [
    facts('key description', versions),
    fact('challenge', Buffer.from(attestationChallenge).toString('hex')),
    facts('enforced by software', softwareEnforced),
    facts('enforced by hardware', hardwareEnforced),
  ];
}
