export { createDefender, Defender, type TokenRequest } from './defender.js';
export type { DecisionHook, DefenderDecision } from './decision.js';
export { DefenderError, type DefenderErrorCode, type RefusalFacts } from './defender-error.js';
export { DEFENDER_SDK, type AssertionMaker, type DefenderOptions } from './defender-options.js';
export { noAttestation, type AttestInput, type ClientAttester, type DefenderApp } from './client-attester.js';
export type { Enrolment } from './enrolment.js';
export {
  generateKey,
  memoryKeyStore,
  type ApiState,
  type DefenderState,
  type KeyStore,
  type StoredSession,
} from './key-store.js';
export type { Probe, ProbeFacts, ProbeReport, ProbeResult } from './probe.js';
export type { DefenderTimers, RemeasureOn } from './schedule.js';
export type { DefenderStatus, StatusListener } from './status.js';
export type { MintRequest, RemoteSigningKey, SigningKey, WebCryptoSigningKey } from '../token/mint.js';
export type { PublicJwk, RuntimeEvidence, TabAlgorithm } from '../token/claims.types.js';
