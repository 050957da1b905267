import { describe, expect, it } from 'vitest';
import type {
  BindingQuery,
  BindingSweep,
  BoundSession,
  Breach,
  Ending,
  Rebinding,
  VersionBlock,
} from '../../../lib/bindings/binding.types.js';
import { NonceStore } from '../../../lib/nonces/nonce-store.js';
import { MemoryBindingStore } from '../../../lib/stores/memory/index.js';
import { bindingStoreContract, nonceStoreContract, type ContractCase } from '../../../lib/testing/contract/index.js';

/** The names of the cases that a store fails. */
async function failures(cases: readonly ContractCase[]): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, run } of cases) await run().catch(() => failed.push(name));
  return failed;
}

const opened =
  <S>(make: () => S) =>
  async () => ({ store: make(), reopen: async () => make(), close: async () => undefined });

/** A store that keeps to the rules only as far as it is not told to break one. */
class NaiveNonces extends NonceStore {
  private readonly kept = new Map<string, number>();

  constructor(private readonly broken: 'find-then-save' | 'case' | 'evicts' | 'sweeps-all' | 'forgets' | 'any-size') {
    super();
  }

  override async claim(key: string, expiresAt: number): Promise<boolean> {
    if (this.broken !== 'any-size' && !/^[\w-]{22}$/.test(key)) throw new RangeError('key');
    if (!Number.isSafeInteger(expiresAt) || expiresAt < 0) throw new RangeError('time');
    const id = this.broken === 'case' ? key.toLowerCase() : key;
    const known = this.kept.has(id);
    if (this.broken === 'find-then-save') await Promise.resolve();
    if (this.broken === 'evicts' && this.kept.size >= 3) this.kept.clear();
    this.kept.set(id, expiresAt);
    return !known;
  }

  override async sweep(now: number, limit: number): Promise<number> {
    const over = [...this.kept].filter(([, at]) => this.broken === 'sweeps-all' || at < now).slice(0, limit);
    for (const [key] of over) this.kept.delete(key);
    return over.length;
  }

  override get volatility() {
    return this.broken === 'forgets' ? undefined : { epoch: `${Math.random()}`.padEnd(22, '0'), startedAt: 1 };
  }
}

describe('the nonce contract finds a store that', () => {
  it.each([
    ['find-then-save', 'of many claims of one key at once, exactly one wins'],
    ['case', 'keys that differ in case, or by one character, are different keys'],
    ['evicts', 'sweep removes what has expired, nothing else, and no more than its limit'],
    ['sweeps-all', 'a claimed key loses until it has expired'],
    ['forgets', 'a restart keeps the claims, or is known by a new epoch'],
    ['any-size', 'a key of another size or alphabet is refused, never shortened'],
  ] as const)('%s', async (broken, name) => {
    expect(await failures(nonceStoreContract(opened(() => new NaiveNonces(broken))))).toContain(name);
  });
});

const limits = { maxInstances: 1_000, maxSessions: 1_000, maxBreaches: 1_000 };
const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Checks the instance, then writes the session in another step. */
class BindsLate extends MemoryBindingStore {
  override async bind(session: BoundSession) {
    const { instance } = await this.load({ instanceId: session.instanceId });
    if (instance?.status !== 'active') return 'instance_inactive' as const;
    await later();
    const revived = await this.load({ instanceId: session.instanceId });
    if (revived.instance?.status !== 'revoked') return super.bind(session);
    const other = { ...revived.instance, id: `x${session.instanceId.slice(1)}`, status: 'active' as const };
    await this.saveInstance(other);
    return super.bind({ ...session, instanceId: other.id });
  }
}

/** Lets a credential belong to several sessions. */
class SharesCredentials extends MemoryBindingStore {
  override async bind(session: BoundSession) {
    const outcome = await super.bind(session);
    return outcome === 'credential_taken' ? super.bind({ ...session, credentialHash: null }) : outcome;
  }
}

/** Refreshes without looking at the instance that asks. */
class RefreshesForAnybody extends MemoryBindingStore {
  override async rebind(change: Rebinding) {
    const { session } = await this.load({ instanceId: change.instanceId, sessionId: change.sessionId });
    return super.rebind({ ...change, instanceId: session?.instanceId ?? change.instanceId });
  }
}

/** Revokes and leaves the sessions alone. */
class RevokesHalf extends MemoryBindingStore {
  override async revoke(instanceId: string, ending: Ending) {
    const { instance } = await this.load({ instanceId });
    if (!instance || instance.status === 'revoked') return false;
    return this.saveInstance(
      { ...instance, status: 'revoked', statusReason: ending.reason, statusAt: ending.at },
      instance.revision,
    );
  }
}

/** Reads the blocks of an app once, and then remembers them. */
class CachesBlocks extends MemoryBindingStore {
  private readonly cached = new Map<string, readonly string[] | undefined>();

  override async load(query: BindingQuery) {
    const { blockedVersions, ...found } = await super.load(query);
    const appId = found.instance?.appId ?? '';
    if (!this.cached.has(appId)) this.cached.set(appId, blockedVersions);
    const kept = this.cached.get(appId);
    return { ...found, ...(kept && { blockedVersions: kept }) };
  }
}

/** Knows blocks, and loads none. */
class LoadsNoBlocks extends MemoryBindingStore {
  override async load(query: BindingQuery) {
    const { blockedVersions: _, ...found } = await super.load(query);
    return found;
  }
}

/** Takes app ids in any case for one. */
class FoldsAppIds extends MemoryBindingStore {
  override async load(query: BindingQuery) {
    const found = await super.load(query);
    const blocks = await this.findBlocks(found.instance?.appId.toLowerCase() ?? '');
    return { ...found, ...(blocks.length > 0 && { blockedVersions: blocks.map(({ range }) => range) }) };
  }
}

/** Makes room for a block by dropping another one. */
class DropsBlocks extends MemoryBindingStore {
  override async blockVersions(block: VersionBlock) {
    const [first, ...rest] = await this.findBlocks(block.appId);
    if (first && rest.length === 63) await this.unblockVersions(first.appId, first.range);
    return super.blockVersions(block);
  }
}

/** Counts, then writes in another step. */
class CountsThenBlocks extends MemoryBindingStore {
  private readonly beyond: VersionBlock[] = [];

  override async blockVersions(block: VersionBlock) {
    const room = (await super.findBlocks(block.appId)).length < 64;
    await later();
    await super.blockVersions(block).catch((error: unknown) => {
      if (!room) throw error;
      this.beyond.push(block);
    });
  }

  override async findBlocks(appId?: string) {
    return [...(await super.findBlocks(appId)), ...this.beyond];
  }
}

/** Writes a breach that comes again once more, under the newer facts. */
class OverwritesBreaches extends MemoryBindingStore {
  private readonly newest = new Map<string, Breach>();

  override async recordBreach(breach: Breach) {
    await super.recordBreach(breach);
    this.newest.set(breach.id, breach);
  }

  override async findBreaches(filter: Parameters<MemoryBindingStore['findBreaches']>[0]) {
    return (await super.findBreaches(filter)).map((breach) => this.newest.get(breach.id) ?? breach);
  }
}

/** Never forgets a breach. */
class KeepsBreaches extends MemoryBindingStore {
  override async sweep(what: BindingSweep) {
    return super.sweep({ ...what, breachesBefore: 0 });
  }
}

describe('the binding contract finds a store that', () => {
  it.each([
    [BindsLate, 'no session survives a revocation that ran beside its binding'],
    [SharesCredentials, 'a credential that another session names is refused and ends that session'],
    [RefreshesForAnybody, 'only a live session of that instance is refreshed'],
    [RevokesHalf, 'revocation ends the sessions of the instance, and no others'],
    [CachesBlocks, 'a block, and its end, hold from the next load on, on every node'],
    [LoadsNoBlocks, 'load brings the blocked versions of the app with the instance, whatever else it finds'],
    [FoldsAppIds, 'load brings the blocks of exactly that app, whatever the status of the instance'],
    [DropsBlocks, 'an app has at most 64 blocked ranges; another is refused, a renewal is not'],
    [CountsThenBlocks, 'blocks that come at once do not exceed their number'],
    [OverwritesBreaches, 'a breach that is recorded again, at once or later, is kept once and as it was'],
    [KeepsBreaches, 'sweep deletes breaches from before a time, a few at a time, and no others'],
  ] as const)('%o', async (Broken, name) => {
    expect(await failures(bindingStoreContract(opened(() => new Broken(limits, Date.now))))).toContain(name);
  });
});
