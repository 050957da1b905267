import type { Assurance } from './assurance.js';
import type { ThreatName } from './threats.js';

/** What a requirement asks of the runtime evidence. */
export interface RuntimeRequirement {
  /**
   * Threats that are denied when found. `'all'` (default) denies every name, known or not. A list denies its names and,
   * since nobody can have judged them harmless, all names that the protocol does not know; other known names become flags.
   */
  readonly deny: 'all' | readonly ThreatName[];
  /** Probes that must have run and found nothing. `'declared'` (default): those that the app was registered with. */
  readonly require: 'declared' | readonly ThreatName[];
  /** Largest age of the evidence, `iat − rt.at`, in seconds. Default 300. */
  readonly maxAge: number;
}

/** Everything a request must prove. Fully resolved: no member is optional. */
export interface TrustRequirement {
  /** `'required'` (default): a live session bound to this instance, and a credential that belongs to it. `'optional'`: checked when the token names one. `'none'`: ignored. */
  readonly session: 'required' | 'optional' | 'none';
  /** Lowest assurance of the instance key. Default `'none'`. */
  readonly assurance: Assurance;
  /** Lowest app version (SemVer 2.0.0), or null; the app's own `minVersion` holds as well. Default null. */
  readonly minVersion: string | null;
  readonly runtime: RuntimeRequirement;
  /** Whether the content must be bound (`bh`, `ct`). Default true; false is for uploads that are streamed. */
  readonly body: boolean;
  /** `'recent'` (default): a server challenge. `'single-use'`: one that is spent with the token. `'none'`: no challenge. */
  readonly challenge: 'none' | 'recent' | 'single-use';
  /** Lower-case names of headers that must be bound (`hd`). Default none. */
  readonly headers: readonly string[];
}

/** A requirement as it is written: what is left out comes from the level below. */
export type TrustRequirementOptions = Partial<Omit<TrustRequirement, 'runtime'>> & {
  readonly runtime?: Partial<RuntimeRequirement>;
};

/** The requirement when nothing is configured. */
export const DEFAULT_REQUIREMENT: TrustRequirement = {
  session: 'required',
  assurance: 'none',
  minVersion: null,
  runtime: { deny: 'all', require: 'declared', maxAge: 300 },
  body: true,
  challenge: 'recent',
  headers: [],
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
