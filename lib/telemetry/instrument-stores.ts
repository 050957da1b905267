import { BindingStore } from '../bindings/binding-store.js';
import type {
  AppInstance,
  Bindings,
  BindingQuery,
  BindingSweep,
  BindOutcome,
  BoundSession,
  Breach,
  BreachFilter,
  Ending,
  InstanceFilter,
  Rebinding,
  RebindOutcome,
  VersionBlock,
} from '../bindings/binding.types.js';
import { OpenCalls } from '../errors/open-calls.js';
import { NonceStore, type Volatility } from '../nonces/nonce-store.js';
import type { TabStores } from '../stores/stores.types.js';
import { measureStore } from './metrics.js';

/** Calls of one store that may be without an answer: about 25 MB of what waits in the pool of a database that hangs. */
const MAX_OPEN = 10_000;

/** The same stores, whose calls on the way of a request are measured (`tab.store.duration`) and bounded. Nothing else changes. */
export function instrumentStores(stores: TabStores, maxOpen = MAX_OPEN): TabStores {
  const calls = (what: string, store: 'nonces' | 'bindings'): OpenCalls =>
    new OpenCalls(what, maxOpen, (outcome, milliseconds) => measureStore(store, outcome, milliseconds / 1000));
  return {
    ...stores,
    nonces: new MeasuredNonceStore(stores.nonces, calls('nonce store', 'nonces')),
    bindings: new MeasuredBindingStore(stores.bindings, calls('binding store', 'bindings')),
  };
}

class MeasuredNonceStore extends NonceStore {
  constructor(
    private readonly store: NonceStore,
    private readonly calls: OpenCalls,
  ) {
    super();
  }

  override async open(): Promise<void> {
    await this.store.open?.();
  }

  override claim(key: string, expiresAt: number): Promise<boolean> {
    return this.calls.run(() => this.store.claim(key, expiresAt));
  }

  override sweep(now: number, limit: number): Promise<number> {
    return this.store.sweep(now, limit);
  }

  override get volatility(): Volatility | undefined {
    return this.store.volatility;
  }
}

class MeasuredBindingStore extends BindingStore {
  constructor(
    private readonly store: BindingStore,
    private readonly calls: OpenCalls,
  ) {
    super();
  }

  override load(query: BindingQuery): Promise<Bindings> {
    return this.calls.run(() => this.store.load(query));
  }

  override saveInstance(instance: AppInstance, expectedRevision?: number): Promise<boolean> {
    return this.store.saveInstance(instance, expectedRevision);
  }

  override bind(session: BoundSession): Promise<BindOutcome> {
    return this.store.bind(session);
  }

  override rebind(change: Rebinding): Promise<RebindOutcome> {
    return this.store.rebind(change);
  }

  override suspend(instanceId: string, ending: Ending, threats: readonly string[]): Promise<boolean> {
    return this.store.suspend(instanceId, ending, threats);
  }

  override revoke(instanceId: string, ending: Ending): Promise<boolean> {
    return this.store.revoke(instanceId, ending);
  }

  override endSession(sessionId: string, ending: Ending): Promise<boolean> {
    return this.store.endSession(sessionId, ending);
  }

  override endSessions(subject: string, ending: Ending): Promise<number> {
    return this.store.endSessions(subject, ending);
  }

  override findInstances(filter: InstanceFilter): Promise<AppInstance[]> {
    return this.store.findInstances(filter);
  }

  override findSessions(subject: string): Promise<BoundSession[]> {
    return this.store.findSessions(subject);
  }

  override recordBreach(breach: Breach): Promise<void> {
    return this.store.recordBreach(breach);
  }

  override findBreaches(filter: BreachFilter): Promise<Breach[]> {
    return this.store.findBreaches(filter);
  }

  override blockVersions(block: VersionBlock): Promise<void> {
    return this.store.blockVersions(block);
  }

  override unblockVersions(appId: string, range: string): Promise<boolean> {
    return this.store.unblockVersions(appId, range);
  }

  override findBlocks(appId?: string): Promise<VersionBlock[]> {
    return this.store.findBlocks(appId);
  }

  override sweep(what: BindingSweep): Promise<number> {
    return this.store.sweep(what);
  }
}
