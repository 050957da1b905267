import { AttestationError } from '../attestation-error.js';
import type { CertificateCheck, ChainCheck, PublicKeyCheck } from '../x509/index.js';

/**
 * The check that App Attest evidence failed (`AttestationError.check`), for the operator's log:
 * - `statement`: the statement has not the form of an attestation or a renewal, or is not base64
 * - `size`: longer than such evidence can be; refused before it is parsed
 * - `cbor`: not CBOR in definite, shortest form, or a member is missing or of another type
 * - `authenticator-data`: too short, a length in it is wrong, or something follows that is not one map
 * - `credential-key`: the key in the authenticator data is not that of the certificate
 * - `extensions`: a member of the map that ends the authenticator data is ill-formed
 * - `certificate-chain`: leads to a trusted root, but is not a leaf under one CA
 * - those of every chain: `chain-length`, `certificate-size`, `certificate` (also for an extension that is there twice),
 *   `validity`, `trust-anchor`, `chain-signature` and so on
 * - `certificate-key`: the leaf's key is not on P-256
 * - `nonce-extension`: the extension that holds the nonce is missing or malformed
 * - `nonce`: made for other authenticator data or another `clientDataHash`
 * - `key-id`: the key id is not the hash of the attested key
 * - `credential-id`: the credential id is not the key id
 * - `app-id`: made by another app
 * - `counter`: not 0 in an attestation; not above the last one in an assertion
 * - `environment`: made in the other environment
 * - `validation-category`: the app was not installed in a permitted way, or the system did not say how
 * - `receipt`: too long to keep
 * - `previous`: a renewal, but no attestation by that key is known
 * - `signature`: the assertion was not signed by the attested key, or covers something else
 */
export type AppleAttestationCheck =
  | CertificateCheck
  | ChainCheck
  | PublicKeyCheck
  | 'statement'
  | 'size'
  | 'cbor'
  | 'authenticator-data'
  | 'credential-key'
  | 'extensions'
  | 'certificate-chain'
  | 'certificate-key'
  | 'nonce-extension'
  | 'nonce'
  | 'key-id'
  | 'credential-id'
  | 'app-id'
  | 'counter'
  | 'environment'
  | 'validation-category'
  | 'receipt'
  | 'previous'
  | 'signature';

/** Refuses the evidence; `detail` is for the operator's log. */
export function reject(check: AppleAttestationCheck, detail: string): never {
  throw new AttestationError(check, detail);
}

/** Ensures that a part of the evidence is octets. */
export function octetsOf(value: unknown, check: AppleAttestationCheck, name: string): Uint8Array {
  return value instanceof Uint8Array ? value : reject(check, `${name} is not a byte string`);
}
