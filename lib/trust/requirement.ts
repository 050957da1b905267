import type { AppraisalRule } from './appraisal-rule.js';
import type { Assurance } from './assurance.js';
import type { ThreatName } from './threats.js';

/** What a requirement asks of the runtime evidence, and how it answers each threat that was found. */
export interface RuntimeRequirement {
  /**
   * Threats that are denied when found. `'all'` (default): every name that no other list names. With a list, known names
   * that are in no list are ignored.
   */
  readonly deny: 'all' | readonly ThreatName[];
  /** Threats that pass only with an attestation made within `stepUpMaxAge`; else `step_up_required`. Default none. */
  readonly stepUp: readonly ThreatName[];
  /** Threats that pass, and that the handler sees in `trust.flags`. Default none. */
  readonly flag: readonly ThreatName[];
  /** Threats that pass with `TAB-Monitor`, as flags, while the decision records that they were watched. Default none. */
  readonly monitor: readonly ThreatName[];
  /** What is done about found names that neither the protocol nor any list knows: `'deny'` (default) or `'flag'`. */
  readonly unknown: 'deny' | 'flag';
  /** Seconds for which an attestation answers a step-up. Default 300. */
  readonly stepUpMaxAge: number;
  /** Probes that must have run and found nothing. `'declared'` (default): those that the app was registered with. */
  readonly require: 'declared' | readonly ThreatName[];
  /** Largest age of the evidence, `iat − rt.at`, in seconds. Default 300. */
  readonly maxAge: number;
}

/**
 * What happens, besides the refusal, when the runtime breaks trust: a threat that is denied, a contradiction, a rule that
 * denies. `'reject'`: nothing. `'suspend'`: the instance is refused until it attests anew with clean evidence.
 * `'revoke-session'`: the session of the request ends. `'revoke-instance'`: the key is refused for ever.
 */
export type BreachAction = 'reject' | 'revoke-session' | 'suspend' | 'revoke-instance';

/** Everything a request must prove. Fully resolved: no member is optional. */
export interface TrustRequirement {
  /** `'required'` (default): a live session bound to this instance, and a credential that belongs to it. `'optional'`: checked when the token names one. `'none'`: ignored. */
  readonly session: 'required' | 'optional' | 'none';
  /** Lowest assurance of the instance key. Default `'none'`. */
  readonly assurance: Assurance;
  /** Largest age of the attestation in seconds, or null for the app's own. Default null. */
  readonly attestationMaxAge: number | null;
  /** Attestation formats that are good enough. Default `'any'`. */
  readonly formats: 'any' | readonly string[];
  /** Whether only evidence that is tied to the instance key counts. Default false. */
  readonly keyBound: boolean;
  /** Whether the request must carry an assertion of the platform too (`TAB-Assertion`), as App Attest makes them. Default false. */
  readonly assertion: boolean;
  /** Lowest app version (SemVer 2.0.0), for all platforms or by platform, or null; the app's own `minVersion` holds as well. Default null. */
  readonly minVersion: string | Readonly<Record<string, string>> | null;
  readonly runtime: RuntimeRequirement;
  /** Whether the content must be bound (`bh`, `ct`). Default true; false is for uploads that are streamed. */
  readonly body: boolean;
  /** `'recent'` (default): a server challenge. `'single-use'`: one that is spent with the token. `'none'`: no challenge. */
  readonly challenge: 'none' | 'recent' | 'single-use';
  /** `'signature'`: the instance key itself must have signed. `'any'` (default): a proof key will do, where the module has them. */
  readonly proof: 'any' | 'signature';
  /** Lower-case names of headers that must be bound (`hd`). Default none. */
  readonly headers: readonly string[];
  /** `'monitor'` lets through what would be refused, with `TAB-Monitor`, and records it. Default: the module's `mode`. */
  readonly mode: 'enforce' | 'monitor';
  /** Default `'reject'`; the app's `suspendOn` holds as well. */
  readonly onBreach: BreachAction;
  /** Rules of one's own, asked in this order after everything else has passed. Default none. */
  readonly appraise: readonly AppraisalRule[];
}

/** A requirement as it is written: what is left out comes from the level below. */
export type TrustRequirementOptions = Partial<Omit<TrustRequirement, 'runtime'>> & {
  readonly runtime?: Partial<RuntimeRequirement>;
};

/** The requirement when nothing is configured. */
export const DEFAULT_REQUIREMENT: TrustRequirement = {
  session: 'required',
  assurance: 'none',
  attestationMaxAge: null,
  formats: 'any',
  keyBound: false,
  assertion: false,
  minVersion: null,
  runtime: {
    deny: 'all',
    stepUp: [],
    flag: [],
    monitor: [],
    unknown: 'deny',
    stepUpMaxAge: 300,
    require: 'declared',
    maxAge: 300,
  },
  body: true,
  challenge: 'recent',
  proof: 'any',
  headers: [],
  mode: 'enforce',
  onBreach: 'reject',
  appraise: [],
};

function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** Lays `levels` over `base`, member by member, later ones winning; `runtime` is merged by its own members. */
export function mergeRequirements(
  base: TrustRequirement,
  ...levels: readonly TrustRequirementOptions[]
): TrustRequirement {
  return levels.reduce<TrustRequirement>(
    (merged, level) => ({
      ...merged,
      ...defined(level),
      runtime: { ...merged.runtime, ...defined(level.runtime ?? {}) },
    }),
    base,
  );
}
