export { NOW, TestClock } from './clock.js';
export { aKey, b64u, claimKeyOf, sha, signAs, type TestKey } from './keys.js';
export { aProofKey, macToken, type ProofKeyParts, type TestProofKey } from './proof-key.js';
export { codeOf, outcomeOf, thrownBy } from './refusal.js';
export { aRequest, type RequestParts } from './request.js';
export { anApp, SECRET, someSettings } from './settings.js';
export { aToken, signed, someClaims, someEvidence, type Members, type TokenParts } from './token.js';
export { anInstanceOf, aSessionOf, aWorld, CREDENTIAL, requiring, SESSION_ID, World, type CallParts } from './world.js';
