import type {
  AttestationInput,
  AttestationResult,
  Attester,
  FinishAttestation,
  RequestAssertion,
} from '../attester.js';
import { reject } from './apple-check.js';
import type { AppleAppAttestOptions } from './apple.types.js';
import { readAttestedKey, type AttestedKey } from './attested-key.js';
import type { AppleExtensions } from './extensions.js';
import { resolveAppleSettings, type AppleSettings } from './settings.js';
import { readStatement, type AppleStatement } from './statement.js';
import { verifyAppleAssertion } from './verify-assertion.js';
import { verifyAppleAttestation } from './verify-attestation.js';

const FORMAT = 'apple-appattest';
/** Longest receipt that is kept, in octets; real ones have up to 5 kB. */
const RECEIPT_MAX_OCTETS = 8192;

/**
 * Accepts attestations of Apple App Attest, and renews them by assertions of the same key. The evidence covers the binding
 * and with it the instance key; that the instance key is in hardware is the app's word, so the assurance is `software`.
 * It calls nobody.
 *
 * `examine` and `assertRequest` throw AttestationError with an `AppleAttestationCheck`. The claims of a result are `keyId`,
 * `publicKey` (JWK), `appId`, `environment`, and where known `validationCategory`, `bundleVersion`, `codeDirectoryHash`
 * and `receipt`.
 *
 * @throws TabConfigError when the options cannot work
 */
export function appleAppAttest(options: AppleAppAttestOptions): Attester {
  const settings = resolveAppleSettings(options);
  return {
    format: FORMAT,
    reach: 'software',
    examine: (input) => examine(settings, input),
    assertRequest: (input) => assertRequest(settings, input),
  };
}

function examine(settings: AppleSettings, input: AttestationInput): FinishAttestation {
  const statement = readStatement(input.statement);
  const result =
    statement.kind === 'attestation' ? attest(settings, input, statement) : renew(settings, input, statement);
  return () => Promise.resolve(result);
}

function attest(
  { appIds, environment, validationCategories, roots, maxAge, receipt: keepReceipt }: AppleSettings,
  { app, binding, now }: AttestationInput,
  { keyId, attestationObject }: Extract<AppleStatement, { kind: 'attestation' }>,
): AttestationResult {
  const { receipt, publicKey, appId, ...rest } = verifyAppleAttestation({
    attestationObject,
    keyId,
    clientDataHash: binding,
    appId: appIds,
    environment,
    validationCategories,
    roots,
    now: new Date(now * 1000),
  });
  const kept = keepReceipt && receipt !== undefined ? { receipt: receiptText(receipt) } : {};
  const claims = { ...rest, publicKey, appId, ...kept };
  return resultOf(app.id, claims, 0, now + maxAge);
}

function renew(
  settings: AppleSettings,
  { app, binding, previous, now }: AttestationInput,
  { keyId, assertion }: Extract<AppleStatement, { kind: 'renewal' }>,
): AttestationResult {
  if (previous?.format !== FORMAT) return reject('previous', 'no attestation to renew');
  const key = readAttestedKey(previous.claims, settings);
  // Ensures that the key meant is the one that was attested for this instance.
  if (key.keyId !== keyId) reject('key-id', 'not the key that was attested');
  const verified = verifyByKey(settings, key, assertion, binding, previous.counter);
  const { counter, ...extensions } = verified;
  const { receipt } = previous.claims;
  const kept = settings.receipt && typeof receipt === 'string' ? { receipt } : {};
  const claims = { ...key, environment: settings.environment, ...extensions, ...kept };
  return resultOf(app.id, claims, counter, now + settings.maxAge);
}

function assertRequest(settings: AppleSettings, input: RequestAssertion): { readonly counter: number } {
  const key = readAttestedKey(input.claims, settings);
  const { counter } = verifyByKey(settings, key, input.assertion, input.clientDataHash, input.previousCounter);
  return { counter };
}

function verifyByKey(
  { validationCategories }: AppleSettings,
  { publicKey, appId }: AttestedKey,
  assertion: Uint8Array,
  clientDataHash: Uint8Array,
  previousCounter: number,
): ReturnType<typeof verifyAppleAssertion> {
  return verifyAppleAssertion({ assertion, clientDataHash, publicKey, appId, previousCounter, validationCategories });
}

function receiptText(receipt: Uint8Array): string {
  if (receipt.length > RECEIPT_MAX_OCTETS) return reject('receipt', `longer than ${RECEIPT_MAX_OCTETS} octets`);
  return Buffer.from(receipt).toString('base64');
}

function resultOf(
  id: string,
  claims: AppleExtensions & Readonly<Record<string, unknown>>,
  counter: number,
  expiresAt: number,
): AttestationResult {
  const { bundleVersion } = claims;
  const app = bundleVersion === undefined ? { id } : { id, version: bundleVersion };
  return { format: FORMAT, assurance: 'software', keyBound: true, app, claims, expiresAt, counter };
}
