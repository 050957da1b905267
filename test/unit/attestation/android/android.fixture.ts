import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect } from 'vitest';
import { AttestationError } from '../../../../lib/attestation/attestation-error.js';
import type { AndroidKeyEvidence } from '../../../../lib/attestation/android/android-key.types.js';
import type { AttestationInput } from '../../../../lib/attestation/attester.js';
import {
  createAndroidAttestationCa,
  type AndroidAttestationCa,
  type AndroidAttestationRequest,
} from '../../../../lib/testing/android-attestation.js';
import type { PublicJwk } from '../../../../lib/token/claims.types.js';
import { thumbprint } from '../../../../lib/token/jwk.js';

/** 2026-01-01T00:00:00Z */
export const NOW = Date.UTC(2026, 0, 1);
export const DAY = 86_400_000;
export const PACKAGE = 'com.example.bank';
export const DIGEST = 'ab'.repeat(32);
export const CHALLENGE = Buffer.alloc(32, 7);

/** Made once: keys are slow to make, and no test changes them. */
export const rkp = createAndroidAttestationCa({ clock: () => NOW });
export const factory = createAndroidAttestationCa({ clock: () => NOW, provisioning: 'factory' });
export const ROOTS = [rkp.root, factory.root];

export function aKey(): PublicJwk {
  const { x, y } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  return { kty: 'EC', crv: 'P-256', x: x as string, y: y as string };
}
export const KEY = aKey();
export const KEY_OBJECT = createPublicKey({ key: { ...KEY }, format: 'jwk' });

export type Request = Partial<AndroidAttestationRequest>;

/** A chain that passes, with what the test changes. */
export function aChain(request: Request = {}, ca: AndroidAttestationCa = rkp): string[] {
  return ca.attest({
    publicKey: KEY_OBJECT,
    challenge: CHALLENGE,
    packageName: PACKAGE,
    signatureDigest: DIGEST,
    ...request,
  });
}

/** Evidence that passes, with what the test changes. */
export function someEvidence(evidence: Partial<AndroidKeyEvidence> = {}): AndroidKeyEvidence {
  return {
    x5c: evidence.x5c ?? aChain(),
    challenge: CHALLENGE,
    packageName: PACKAGE,
    signatureDigests: [DIGEST],
    roots: ROOTS,
    now: new Date(NOW),
    ...evidence,
  };
}

/** An enrolment that passes, with what the test changes. */
export function anInput(input: Partial<AttestationInput> = {}): AttestationInput {
  return {
    statement: { x5c: aChain() },
    publicKey: KEY,
    thumbprint: thumbprint(KEY),
    app: { id: 'bank.android', ver: '1.0.0', platform: 'android' },
    challenge: 'c'.repeat(43),
    binding: Buffer.alloc(32, 1),
    keylessBinding: CHALLENGE,
    now: NOW / 1000,
    ...input,
  };
}

/** The check that refuses; `passes` when none does. Anything thrown that is not an AttestationError fails the test. */
export function checkOf(call: () => unknown): string {
  try {
    call();
    return 'passes';
  } catch (error) {
    expect(error).toBeInstanceOf(AttestationError);
    return (error as AttestationError).check;
  }
}
