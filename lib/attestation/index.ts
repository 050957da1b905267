export { AttestationError } from './attestation-error.js';
export type {
  AttestationClaim,
  AttestationInput,
  AttestationResult,
  Attester,
  FinishAttestation,
  PreviousAttestation,
  RequestAssertion,
} from './attester.js';
export { clientAttestation } from './client-attestation/client-attestation.js';
export type {
  ClientAttestationCheck,
  ClientAttestationIssuer,
  ClientAttestationOptions,
} from './client-attestation/client-attestation.types.js';
export type { FetchLike } from './jose/bounded-fetch.js';
export type { RemoteJwks } from './jose/remote-jwks.js';
export type { AsymmetricAlgorithm, SignedJwtCheck } from './jose/signed-jwt.js';
export { appleAppAttest } from './apple/app-attest.js';
export type { AppleAttestationCheck } from './apple/apple-check.js';
export type {
  AppleAppAttestOptions,
  AppleAssertionInput,
  AppleAttestationInput,
  AppleAttestedKey,
  AppleEnvironment,
  VerifiedAppleAssertion,
  VerifiedAppleAttestation,
} from './apple/apple.types.js';
export type { AppleExtensions, AppleValidationCategory } from './apple/extensions.js';
export { APPLE_APP_ATTEST_ROOTS } from './apple/roots.js';
export { verifyAppleAssertion } from './apple/verify-assertion.js';
export { verifyAppleAttestation } from './apple/verify-attestation.js';
export { approov } from './approov/approov.js';
export type { ApproovCheck, ApproovKeys, ApproovOptions, ApproovVerdict } from './approov/approov.types.js';
export { verifyApproov } from './approov/verify-approov.js';
export type { VerifyApproov } from './approov/verify-approov.js';
export { firebaseAppCheck } from './firebase/firebase-app-check.js';
export type {
  FirebaseAppCheckCheck,
  FirebaseAppCheckOptions,
  FirebaseAppCheckVerdict,
  FirebaseConsumer,
  FirebaseProject,
} from './firebase/firebase.types.js';
export { googleConsumer } from './firebase/google-consumer.js';
export type { GoogleConsumerOptions } from './firebase/google-consumer.js';
export { verifyFirebaseAppCheck } from './firebase/verify-app-check.js';
export type { VerifyFirebaseAppCheck } from './firebase/verify-app-check.js';
export type { GoogleAccess, PostFetch } from './jose/post-json.js';
export { googleDecoder } from './play/google-decoder.js';
export { playIntegrity } from './play/play-integrity.js';
export type {
  DeviceIntegrity,
  PlayClassicKeys,
  PlayDecoder,
  PlayIntegrityCheck,
  PlayIntegrityOptions,
  PlayRequirement,
  PlayVerdict,
} from './play/play.types.js';
export { verifyPlayIntegrity } from './play/verify-play-integrity.js';
export type { VerifyPlayIntegrity } from './play/verify-play-integrity.js';
export { vendorJwt } from './vendor/vendor-jwt.js';
export type { VerifyVendorJwt } from './vendor/vendor-jwt.js';
export { verifyVendorJwt } from './vendor/vendor-jwt.js';
export type {
  ClaimPath,
  JwtVendor,
  ThreatMeaning,
  VendorJwtCheck,
  VendorJwtOptions,
  VendorVerdict,
} from './vendor/vendor.types.js';
export { androidKeyAttestation } from './android/android-key.js';
export type {
  AndroidKeyAttestation,
  AndroidKeyCheck,
  AndroidKeyEvidence,
  AndroidKeyPolicy,
} from './android/android-key.types.js';
export { parseKeyDescription } from './android/key-description.js';
export type {
  AndroidSecurityLevel,
  AttestationApplicationId,
  AuthorizationList,
  KeyDescription,
  RootOfTrust,
  VerifiedBootState,
} from './android/key-description.types.js';
export type { Provisioning } from './android/provisioning.js';
export { androidRevocation, type AndroidRevocation, type AndroidRevocationOptions } from './android/revocation.js';
export { GOOGLE_HARDWARE_ROOTS } from './android/roots.js';
export type { AndroidKeyAttestationOptions } from './android/settings.js';
export type { RevokedSerials } from './android/status-list.js';
export { verifyAndroidKeyAttestation } from './android/verify-android-key.js';
