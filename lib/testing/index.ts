import './refuse-production.js';

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
