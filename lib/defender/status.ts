import type { DefenderError } from './defender-error.js';
import { quietly } from './waiting.js';

/**
 * How a Defender stands, over all its servers: the worst that is known of any of them.
 *
 * - `revoked`: a server answered `instance_revoked`. Nothing but a new key ends it: `retire()`.
 * - `refused`: the last verdict of a server was `instance_suspended`, `insufficient_trust` or `attestation_rejected`.
 * - `degraded`: it works, or would, but a server could not be reached or answered 429 or 503, a probe found a threat, or
 *   a probe could not look.
 * - `ready`: enrolled, the last answer and the last evidence are fine.
 * - `new`: not enrolled, or known to no server (`unknown_instance`).
 */
export type DefenderStatus = 'new' | 'ready' | 'degraded' | 'refused' | 'revoked';

/** Called after each change, with the new status. What it throws is ignored. */
export type StatusListener = (status: DefenderStatus) => void;

/** What an answer means for the status. */
export interface AnswerFacts {
  /** The HTTP status; 0 for an opaque redirect. */
  readonly status: number;
  /** The `TAB-Error` code of a refusal. */
  readonly code?: string;
  /** The `TAB-Monitor` code: the request passed, and would not have. */
  readonly monitored?: string;
}

/** What a server thinks of the instance, and whether it answers. */
interface Standing {
  readonly verdict?: 'ready' | 'refused' | 'revoked';
  readonly unavailable?: boolean;
}

const REFUSING: ReadonlySet<string | undefined> = new Set([
  'instance_suspended',
  'insufficient_trust',
  'attestation_rejected',
]);
const UNREACHED: ReadonlySet<string> = new Set(['unreachable', 'unexpected_answer', 'enrolment_failed']);

/**
 * Keeps the status. The rules, for the server that an event is about:
 *
 * | event | verdict | available |
 * |---|---|---|
 * | key loaded with a state that says enrolled; enrolment accepted | ready | yes |
 * | `instance_revoked` | revoked, whatever comes later | yes |
 * | `instance_suspended`, `insufficient_trust`, `attestation_rejected` | refused | yes |
 * | `unknown_instance` | none | yes |
 * | status 429 or 503 | as before | no |
 * | any other refusal, status 400 and above, `TAB-Monitor` | as before | yes |
 * | any other answer: a client cannot see which routes are guarded | ready | yes |
 * | no answer, or none of a TAB server to an enrolment | as before | no |
 * | key retired | none, for all servers | yes |
 */
export class StatusBoard {
  readonly #servers = new Map<string, Standing>();
  readonly #listeners = new Set<StatusListener>();
  #impaired = false;
  #status: DefenderStatus = 'new';

  get status(): DefenderStatus {
    return this.#status;
  }

  /** Adds a listener. @returns a function that removes it */
  subscribe(listener: StatusListener): () => void {
    // Wrapped, so that a listener added twice is two, each with its own end.
    const own: StatusListener = (status) => listener(status);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** The key is enrolled at `base`: the server, or the stored state, says so. */
  enrolled(base: string): void {
    this.#change(base, { verdict: 'ready', unavailable: false });
  }

  /** The server at `base` answered a request or an enrolment. */
  answered(base: string, { status, code, monitored }: AnswerFacts): void {
    if (status === 429 || status === 503) return this.#change(base, { unavailable: true });
    const patch = { unavailable: false };
    if (code === 'instance_revoked') return this.#change(base, { ...patch, verdict: 'revoked' });
    if (REFUSING.has(code)) return this.#change(base, { ...patch, verdict: 'refused' });
    if (code === 'unknown_instance') return this.#change(base, { ...patch, verdict: undefined });
    const isFine = code === undefined && monitored === undefined && status > 0 && status < 400;
    this.#change(base, isFine ? { ...patch, verdict: 'ready' } : patch);
  }

  /** A request to the server at `base`, or an enrolment there, ended with `error`. */
  failed(base: string, error: DefenderError): void {
    if (UNREACHED.has(error.code)) this.#change(base, { unavailable: true });
    else if (error.code === 'enrolment_refused' && error.status !== undefined)
      this.answered(base, { status: error.status, code: error.tabError });
  }

  /** The probes have run; `impaired` when one found a threat or could not look. */
  measured(impaired: boolean): void {
    this.#impaired = impaired;
    this.#tell();
  }

  /** The key is gone, and with it what servers thought of it. */
  retired(): void {
    this.#servers.clear();
    this.#tell();
  }

  #change(base: string, patch: Standing): void {
    const before = this.#servers.get(base);
    const after = { ...before, ...patch };
    // For ever, as the server holds it.
    if (before?.verdict === 'revoked') after.verdict = 'revoked';
    this.#servers.set(base, after);
    this.#tell();
  }

  #tell(): void {
    const status = this.#worst();
    if (status === this.#status) return;
    this.#status = status;
    // A copy: a listener may add others, which have missed this change.
    const listeners = [...this.#listeners];
    for (const listener of listeners) quietly(() => listener(status));
  }

  #worst(): DefenderStatus {
    const all = [...this.#servers.values()];
    const verdicts = all.map(({ verdict }) => verdict);
    if (verdicts.includes('revoked')) return 'revoked';
    if (verdicts.includes('refused')) return 'refused';
    if (all.some(({ unavailable }) => unavailable)) return 'degraded';
    if (!verdicts.includes('ready')) return 'new';
    return this.#impaired ? 'degraded' : 'ready';
  }
}
