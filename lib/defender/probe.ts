/** One result of a probe that covers several threats at once, such as a RASP library. */
export interface ProbeReport {
  /** Names of threats detected. */
  readonly found?: readonly string[];
  /** Names that were looked for and not found. */
  readonly clear?: readonly string[];
}

/** `unknown`: the probe could not look. That is never `clear`. */
export type ProbeResult = 'clear' | 'found' | 'unknown' | ProbeReport;

/** What a Defender knows that a probe cannot see for itself. */
export interface ProbeFacts {
  /** Server clock minus local clock, in seconds, for each server that has told; empty while none has. */
  readonly serverSkews: readonly number[];
}

/** Looks for one threat in the running process or device. */
export interface Probe {
  /** The threat, a name of PROTOCOL section 3: `[a-z0-9-]{1,64}`. */
  readonly name: string;
  /**
   * Looks now. A probe that throws, or is not done when `signal` fires, has not checked anything.
   * @param signal fires at the time limit
   * @param facts what the Defender knows of the servers
   */
  run(signal?: AbortSignal, facts?: ProbeFacts): ProbeResult | Promise<ProbeResult>;
}

/** The form of a threat name on the wire. */
export const PROBE_NAME = /^[a-z0-9-]{1,64}$/;
