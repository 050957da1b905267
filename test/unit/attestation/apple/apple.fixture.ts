import { createHash } from 'node:crypto';
import { AttestationError } from '../../../../lib/attestation/attestation-error.js';
import type { AppleAppAttestOptions } from '../../../../lib/attestation/apple/apple.types.js';
import { appleAppAttest } from '../../../../lib/attestation/apple/app-attest.js';
import type { AttestationInput, AttestationResult, Attester } from '../../../../lib/attestation/attester.js';
import {
  createAppleAttestationCa,
  type AppleDevice,
  type AppleDeviceOptions,
} from '../../../../lib/testing/apple-attestation.js';

/** 2026-01-01. */
export const NOW = 1_767_225_600;
export const APP_ID = 'ABCDE12345.com.example.bank';
export const BINDING = createHash('sha256').update('binding').digest();

export const apple = createAppleAttestationCa({ clock: () => NOW });

export function deviceWith(options: Partial<AppleDeviceOptions> = {}): AppleDevice {
  return apple.createDevice({ appId: APP_ID, environment: 'production', ...options });
}

export function attesterWith(options: Partial<AppleAppAttestOptions> = {}): Attester {
  return appleAppAttest({
    appId: APP_ID,
    environment: 'production',
    roots: [apple.root],
    ...options,
  } as AppleAppAttestOptions);
}

export function inputOf(statement: unknown, overrides: Partial<AttestationInput> = {}): AttestationInput {
  return {
    statement,
    publicKey: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' },
    thumbprint: 't'.repeat(43),
    app: { id: 'bank.ios', ver: '1.2.3', platform: 'ios' },
    challenge: 'challenge',
    binding: BINDING,
    keylessBinding: createHash('sha256').update('keyless').digest(),
    now: NOW,
    ...overrides,
  };
}

export function attestationOf(device: AppleDevice, binding: Uint8Array = BINDING): Record<string, string> {
  return { keyId: device.keyId, attestationObject: device.attest(binding).toString('base64') };
}

export function renewalOf(device: AppleDevice, binding: Uint8Array = BINDING): Record<string, string> {
  return { keyId: device.keyId, assertion: device.assert(binding).toString('base64') };
}

export function accept(attester: Attester, input: AttestationInput): Promise<AttestationResult> {
  return attester.examine(input)();
}

/** The failed check; undefined when it passed. Any other error is a fault of its own. */
export function checkOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof AttestationError) return error.check;
    throw error;
  }
}
