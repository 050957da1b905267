import { randomBytes } from 'node:crypto';
import { callStore } from '../bindings/store-call.js';
import type { BindingStore } from '../bindings/binding-store.js';
import { TabError } from '../errors/tab-error.js';
import type { NonceStore } from '../nonces/nonce-store.js';
import { JTI_KEPT } from '../token/claim-key.js';
import { secondsOf } from '../token/clock.js';

/** Milliseconds for which a result is given again: whoever may ask for health must not be able to fill the store. */
const INTERVAL = 1_000;
/** Milliseconds after which an answer that never came is no longer waited for. */
const PATIENCE = 30_000;

/** Whether something works. */
export type HealthStatus = 'up' | 'down';

/** What a health check found. All of it is safe to show: it names no host, no driver and no key. */
export interface TabHealthReport {
  /** Up when both stores are. */
  readonly status: HealthStatus;
  /** The store of used nonces: whether a new key could be claimed. */
  readonly nonces: HealthStatus;
  /** The store of instances and sessions: whether it could be read. */
  readonly bindings: HealthStatus;
  /** The same in words. */
  readonly detail: string;
}

/** What the health check works on. */
export interface HealthSettings {
  readonly nonces: NonceStore;
  readonly bindings: BindingStore;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Milliseconds after which a store that has not answered is down. */
  readonly healthTimeout: number;
}

/** What becomes of one store while it is probed. */
interface Probe {
  readonly name: 'nonces' | 'bindings';
  /** Ensures that the store does what requests need of it. */
  readonly exercise: () => Promise<boolean>;
  /** The call that has had no answer yet, not even a late one. */
  open: { readonly since: number } | undefined;
  status: HealthStatus | undefined;
}

/**
 * Says whether requests can be verified right now, by doing what they do: it claims a random key, which lives for as long
 * as that of a token (three minutes), and looks up a random instance. So a read-only replica or a full store is seen.
 *
 * At most one such probe a second, however many ask. A store that owes an answer is asked again only after half a minute,
 * so that checks do not pile up in a database that hangs.
 */
export class TabHealth {
  readonly #settings: HealthSettings;
  readonly #onChange: (message: string) => void;
  readonly #elapsed: () => number;
  readonly #probes: readonly [nonces: Probe, bindings: Probe];
  #running: Promise<TabHealthReport> | undefined;
  #last: { readonly report: TabHealthReport; readonly at: number } | undefined;

  /**
   * @param onChange told, for the log, when a store goes down and when it is back
   * @param elapsed milliseconds of a clock that is never set
   */
  constructor(
    settings: HealthSettings,
    onChange: (message: string) => void = () => undefined,
    elapsed: () => number = () => performance.now(),
  ) {
    this.#settings = settings;
    this.#onChange = onChange;
    this.#elapsed = elapsed;
    this.#probes = [
      { name: 'nonces', exercise: () => this.#claim(), open: undefined, status: undefined },
      { name: 'bindings', exercise: () => this.#load(), open: undefined, status: undefined },
    ];
  }

  /** Checks both stores. Never rejects. Takes as long as the timeout of the check at most (`health.timeout`, 2 s). */
  check(): Promise<TabHealthReport> {
    const last = this.#last;
    if (last !== undefined && this.#elapsed() - last.at < INTERVAL) return Promise.resolve(last.report);
    this.#running ??= this.#probeAll().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #probeAll(): Promise<TabHealthReport> {
    const [first, second] = this.#probes;
    const [nonces, bindings] = await Promise.all([this.#run(first), this.#run(second)]);
    const down = [...(nonces === 'down' ? ['nonces'] : []), ...(bindings === 'down' ? ['bindings'] : [])];
    const report: TabHealthReport = Object.freeze({
      status: down.length === 0 ? 'up' : 'down',
      nonces,
      bindings,
      detail: down.length === 0 ? 'the stores answer' : `unavailable: ${down.join(', ')}`,
    });
    this.#last = { report, at: this.#elapsed() };
    return report;
  }

  async #run(probe: Probe): Promise<HealthStatus> {
    let status: HealthStatus = 'down';
    let reason = 'it still owes the answer to an earlier check';
    try {
      if (!this.#owesAnswer(probe)) {
        const good = await callStore('the check', this.#settings.healthTimeout, () => this.#exercise(probe));
        status = good ? 'up' : 'down';
        reason = 'it gave a wrong answer';
      }
    } catch (error) {
      reason = reasonOf(error);
    }
    this.#note(probe, status, reason);
    return status;
  }

  #owesAnswer({ open }: Probe): boolean {
    return open !== undefined && this.#elapsed() - open.since < PATIENCE;
  }

  /** Exercises the store, and remembers the call until the store itself has answered, in time or late. */
  async #exercise(probe: Probe): Promise<boolean> {
    const call = (probe.open = { since: this.#elapsed() });
    try {
      return await probe.exercise();
    } finally {
      if (probe.open === call) probe.open = undefined;
    }
  }

  /** A random key is new: a store that says otherwise would refuse every token. */
  async #claim(): Promise<boolean> {
    const { nonces, clock } = this.#settings;
    return (await nonces.claim(randomBytes(16).toString('base64url'), secondsOf(clock) + JTI_KEPT)) === true;
  }

  /** A random id is nobody's: a store that finds an instance under it would let in anybody. */
  async #load(): Promise<boolean> {
    const { instance } = await this.#settings.bindings.load({ instanceId: randomBytes(32).toString('base64url') });
    return instance === undefined;
  }

  #note(probe: Probe, status: HealthStatus, reason: string): void {
    if (status === 'down' && probe.status !== 'down') this.#onChange(`${probe.name}: down, ${reason}`);
    if (status === 'up' && probe.status === 'down') this.#onChange(`${probe.name}: up again`);
    probe.status = status;
  }
}

/** For the log: what a store of ours says has no values in it; of others only the name of the error is told. */
function reasonOf(error: unknown): string {
  if (!(error instanceof TabError)) return 'it failed';
  const { cause } = error;
  const inner = cause instanceof TabError ? cause.detail : cause instanceof Error ? cause.name : '';
  return inner === '' ? error.detail : `${error.detail}: ${inner}`;
}
