import type { Defender } from 'nestjs-tab/defender';
import { indexedDbKeyStore, webDefender } from 'nestjs-tab/defender/web';
import { Wire } from './wire.js';

/** The app as the bank has registered it. */
export const APP = { id: 'com.example.bank.web', ver: '1.0.0', platform: 'web' } as const;

/**
 * How the page was built: it is compared with this list. The list comes from the same server as the page, so it shows what was
 * changed on the way or in the browser, and nothing that was changed on the server.
 */
const MANIFEST = '/assets/integrity.json';

/** A file of the page's own, so that its Content-Security-Policy need not let in workers from elsewhere. */
const DEBUGGER_WORKER_FILE = '/assets/debugger-worker.js';

/** Refusals that no request gets out of by itself. */
export type Broken = 'instance_suspended' | 'instance_revoked';

/** This browser as an instance of the app: its key, which stays in IndexedDB and cannot be taken out of it, and its probes. */
export class Device {
  readonly api = location.origin;
  readonly wire: Wire;
  readonly #onChange: () => void;
  #defender: Defender;
  #broken: Broken | undefined;

  /** @param onChange called when anything that is shown of the device may have changed */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.wire = new Wire(() => this.#note());
    this.#defender = this.#open();
  }

  get defender(): Defender {
    return this.#defender;
  }

  /** Why nothing works any more; undefined while it does. */
  get broken(): Broken | undefined {
    return this.#broken;
  }

  /** Whether the key in the browser is still that of this page: another tab may have started over. */
  async holdsKey(): Promise<boolean> {
    return (await indexedDbKeyStore().loadState())?.instanceId === this.#defender.instanceId;
  }

  /** Throws the key away and makes a new one: to the bank, a device that it has never seen. */
  async startOver(): Promise<void> {
    // A new key of another tab is taken, not thrown away; and a retired one is gone already.
    const isOurs = await this.holdsKey();
    await this.#defender.close();
    if (isOurs) await forgetKey();
    this.#broken = undefined;
    this.#defender = this.#open();
    this.#onChange();
  }

  #open(): Defender {
    const defender = webDefender({
      api: this.api,
      app: APP,
      tamper: { manifest: MANIFEST },
      debugger: { createWorker: () => new Worker(DEBUGGER_WORKER_FILE) },
      // Measured for every token, so that an attack shows at once.
      evidenceMaxAge: 0,
      // What is overheard is what somebody did on the page, and nothing beside it.
      proofKeys: false,
      reenrolWait: 0,
      fetch: this.wire.fetch,
    });
    defender.onStatus(() => this.#onChange());
    return defender;
  }

  #note(): void {
    const { refusal } = this.wire;
    if (refusal === 'instance_suspended' || refusal === 'instance_revoked') this.#broken = refusal;
    this.#onChange();
  }
}

/** A key store clears only what it has loaded. */
async function forgetKey(): Promise<void> {
  const store = indexedDbKeyStore();
  await store.loadKey();
  await store.clear();
}
