export { AttestationError } from './attestation-error.js';
export type { AttestationInput, AttestationResult, Attester, FinishAttestation } from './attester.js';
export { clientAttestation } from './client-attestation/client-attestation.js';
export type {
  ClientAttestationCheck,
  ClientAttestationIssuer,
  ClientAttestationOptions,
} from './client-attestation/client-attestation.types.js';
export type { FetchLike } from './jose/bounded-fetch.js';
export type { RemoteJwks } from './jose/remote-jwks.js';
export type { AsymmetricAlgorithm, SignedJwtCheck } from './jose/signed-jwt.js';
