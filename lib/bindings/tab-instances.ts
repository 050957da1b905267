import type { BindingStore } from './binding-store.js';
import { secondsOf } from '../token/clock.js';
import type { AppInstance, Breach, BreachFilter, Ending, InstanceFilter } from './binding.types.js';
import type { SessionWatch } from './session-watch.js';
import { endingOf } from './ending.js';
import { callBindings } from './store-call.js';

/** What the binding services share. */
export interface BindingServiceSettings {
  readonly bindings: BindingStore;
  readonly storeTimeout: number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** For operators: looks instances up, suspends and revokes them. Effective from the next request on, on every node. */
export class TabInstances {
  readonly #settings: BindingServiceSettings;
  readonly #watch: SessionWatch | undefined;

  /** @param watch told of what ends here, so that long-lived connections close at once */
  constructor(settings: BindingServiceSettings, watch?: SessionWatch) {
    this.#settings = settings;
    this.#watch = watch;
  }

  /** The instance with this id, whatever its status. */
  async get(id: string): Promise<AppInstance | undefined> {
    const { instance } = await callBindings(this.#settings, (store) => store.load({ instanceId: id }));
    return instance;
  }

  /**
   * Refuses an instance everywhere until its key is enrolled again with clean evidence and an attestation not weaker
   * than before (PROTOCOL section 5).
   *
   * @param reason for operators, at most 200 characters are kept
   * @param threats that must be `clear` in the evidence which ends the suspension
   * @returns false when the instance is unknown or revoked
   */
  async suspend(id: string, reason: string, threats: readonly string[] = []): Promise<boolean> {
    const suspended = await callBindings(this.#settings, (store) => store.suspend(id, this.#ending(reason), threats));
    if (suspended) this.#watch?.notifyInstance(id, 'instance_suspended');
    return suspended;
  }

  /** Ends an instance for ever, with all its sessions. False when it is unknown or revoked already. */
  async revoke(id: string, reason: string): Promise<boolean> {
    const revoked = await callBindings(this.#settings, (store) => store.revoke(id, this.#ending(reason)));
    if (revoked) this.#watch?.notifyInstance(id, 'instance_revoked');
    return revoked;
  }

  /** Instances in id order; page with `after`. */
  list(filter: InstanceFilter = {}): Promise<AppInstance[]> {
    return callBindings(this.#settings, (store) => store.findInstances(filter));
  }

  /** What broke the trust in instances, newest first. Kept for 90 days; ask for a time or an instance to see less. */
  breaches(filter: BreachFilter = {}): Promise<Breach[]> {
    return callBindings(this.#settings, (store) => store.findBreaches(filter));
  }

  #ending(reason: string): Ending {
    return endingOf(reason, secondsOf(this.#settings.clock));
  }
}
