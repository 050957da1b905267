export { TabModule } from './tab.module.js';
export type { TabModuleExtras } from './tab.module-definition.js';
export type {
  TabAppOptions,
  TabEndpointOptions,
  TabHealthOptions,
  TabLimits,
  TabOptions,
  TabOptionsFactory,
  TabProofKeyOptions,
} from './tab-options.js';

export { RequireTrust } from './decorators/require-trust.js';
export { SkipTrust } from './decorators/skip-trust.js';
export { Trust } from './decorators/trust.js';
export { TabGuard, type HttpExchange } from './guards/tab.guard.js';
export { GuardSettings } from './guards/guard-settings.js';
export { RequirementResolver } from './guards/requirement-resolver.js';
export type { HttpReply, HttpRequest } from './guards/http-exchange.js';

export { TabApps } from './bindings/tab-apps.js';
export { TabInstances } from './bindings/tab-instances.js';
export type { SessionStart } from './bindings/session-start.js';
export type { SessionEnd } from './bindings/session-watch.js';
export { TabSessions } from './bindings/tab-sessions.js';
export { BindingStore } from './bindings/binding-store.js';
export type {
  AppInstance,
  Bindings,
  Breach,
  BreachFilter,
  BindingQuery,
  BindingSweep,
  BindOutcome,
  BoundSession,
  Ending,
  InstanceFilter,
  InstanceStatus,
  Rebinding,
  RebindOutcome,
  VersionBlock,
} from './bindings/binding.types.js';
export { NonceStore, type Volatility } from './nonces/nonce-store.js';
export { memoryStores, type MemoryStoresOptions } from './stores/memory/index.js';
export type { ProviderLookup, TabStores, TabStoresFactory } from './stores/stores.types.js';

export { TabHealth, type HealthStatus, type TabHealthReport } from './health/tab-health.js';

export { TabDecisions } from './telemetry/tab-decisions.js';
export {
  DecisionStore,
  type DecisionStoreFactory,
  type RecentQuery,
  type SummaryQuery,
} from './telemetry/decision-store.js';
export type { DecisionCounts, DecisionSummary, DecisionSummaryRow, SummaryKey } from './telemetry/decision-summary.js';
export { MemoryDecisionStore } from './telemetry/memory-decision-store.js';
export type { DecisionRedaction } from './telemetry/redaction.js';
export { TabVerifier } from './verifier/tab-verifier.js';
export type { AcceptedVerification, RefusedVerification, Verification } from './verifier/verification.js';
export type { CredentialFacts, CredentialSettings, CredentialVerifier } from './verifier/settings.js';
export { HeaderFields, type RequestContent, type TabRequest } from './token/request.js';

export { trustBreaks, type TrustBreak } from './signals/trust-break.js';
export { SignalTransmitter } from './signals/transmitter.js';
export type {
  SignalReceiverOptions,
  SignalTarget,
  SignalTransmitterOptions,
  SignalTransmitterTrust,
  TabSignalsOptions,
} from './signals/signals.types.js';

export type { TrustContext, UnverifiedTrust, VerifiedTrust } from './trust/trust-context.js';
export { DECISION_CATEGORIES, type DecisionCategory, type TrustDecision } from './trust/trust-decision.js';
export type { AppraisalContext, AppraisalRule, AppraisalVerdict } from './trust/appraisal-rule.js';
export { CONTRADICTION } from './trust/contradiction.js';
export type {
  BreachAction,
  RuntimeRequirement,
  TrustRequirement,
  TrustRequirementOptions,
} from './trust/requirement.js';
export { ASSURANCE_LEVELS, type Assurance } from './trust/assurance.js';
export { THREATS, type ThreatName } from './trust/threats.js';
export type { AppClaim, PublicJwk, RuntimeEvidence, TabAlgorithm, TabClaims } from './token/claims.types.js';
export type { TokenProof } from './token/proof-key-id.js';
export type { SignatureMode } from './token/signature.js';

export { TAB_ERROR_CODES, type TabErrorCode } from './errors/codes.js';
export type { TabProblem } from './errors/answer.js';
export { TabConfigError, TabError, type TabErrorHints } from './errors/tab-error.js';
export { TabException } from './errors/tab-exception.js';
