import './refuse-production.js';

export {
  createAppleAttestationCa,
  type AppleAssertionForgery,
  type AppleAttestationCa,
  type AppleAttestationCaOptions,
  type AppleAttestationForgery,
  type AppleDevice,
  type AppleDeviceOptions,
} from './apple-attestation.js';
export {
  createAndroidAttestationCa,
  type AndroidAttestationCa,
  type AndroidAttestationCaOptions,
  type AndroidAttestationRequest,
} from './android-attestation.js';
export {
  createAttestationIssuer,
  type AttestationIssuer,
  type AttestationIssuerOptions,
  type AttestationRequest,
} from './attestation-issuer.js';
export {
  bindingStoreContract,
  nonceStoreContract,
  type ContractCase,
  type OpenBindingStore,
  type OpenNonceStore,
} from './contract/index.js';
export { fakeClock, type FakeClock } from './fake-clock.js';
export { createTestDefender, type TestDefenderOptions } from './test-defender.js';
