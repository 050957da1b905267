import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BindingStore } from '../../lib/bindings/binding-store.js';
import type { AppInstance, BindingQuery, Bindings, BoundSession } from '../../lib/bindings/binding.types.js';
import {
  aBlock,
  aHash,
  anEnding,
  anInstance,
  aSession,
  aSessionId,
  swapCase,
} from '../../lib/testing/contract/factories.js';
import { describeService } from '../utils/services.js';
import { connectTo, empty, ENGINES, storesOf, type Engine, type TestDatabase } from './engines.js';

/** A generator of whole numbers below a limit that always makes the same. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => (state = (state * 48_271) % 2_147_483_647) % below;
}

const sorted = (found: Bindings): Bindings =>
  found.blockedVersions ? { ...found, blockedVersions: found.blockedVersions.toSorted() } : found;

async function onEngine(one: Engine, body: () => void): Promise<void> {
  if (one.service) await describeService(one.service, one.name, body);
  else describe(one.name, body);
}

/** What a store holds. */
interface Kept {
  readonly instances: readonly AppInstance[];
  readonly sessions: readonly BoundSession[];
}

/** Two apps, one of them with blocked versions; instances with none, one or two sessions, some of another's credential. */
async function fill(store: BindingStore): Promise<Kept> {
  const instances: AppInstance[] = [];
  const sessions: BoundSession[] = [];
  for (let index = 0; index < 24; index++) {
    const appId = index % 3 === 0 ? 'com.example.other' : 'com.example.bank';
    const instance = anInstance({ appId, suspendedBy: index % 2 === 0 ? [] : ['root', 'x-tést'] });
    await store.saveInstance(instance);
    instances.push(instance);
    for (let each = 0; each < index % 3; each++) {
      const session = aSession(instance, { subject: `user ${index}`, credentialHash: each === 0 ? aHash() : null });
      await store.bind(session);
      sessions.push(session);
    }
  }
  for (const range of ['<1.0.0', '<2.0.0', '3.1.4']) await store.blockVersions(aBlock({ range }));
  await store.blockVersions(aBlock({ appId: 'com.example.third' }));
  return { instances, sessions };
}

/** Queries for what is there, what is not, what differs in case or by a space, and what no database takes. */
function someQueries({ instances, sessions }: Kept, count: number, next: (below: number) => number): BindingQuery[] {
  const oneOf = <T>(values: readonly T[]): T => values[next(values.length)] as T;
  const changed = (text: string): string =>
    oneOf([text, text, text, text, swapCase(text), `${text} `, text.slice(1), `${text}'`]);
  const instanceId = (): string => oneOf([changed(oneOf(instances).id), changed(oneOf(instances).id), aHash()]);
  const sessionId = (): string => oneOf([changed(oneOf(sessions).id), oneOf(sessions).id, aSessionId()]);
  const hashes = sessions.flatMap(({ credentialHash }) => credentialHash ?? []);
  const hash = (): string => oneOf([changed(oneOf(hashes)), oneOf(hashes), aHash()]);
  return Array.from({ length: count }, () =>
    oneOf<() => BindingQuery>([
      () => ({ instanceId: instanceId() }),
      () => ({ instanceId: instanceId(), sessionId: sessionId() }),
      () => ({ instanceId: instanceId(), credentialHash: hash() }),
      () => ({ instanceId: instanceId(), sessionId: sessionId(), credentialHash: hash() }),
    ])(),
  );
}

for (const one of ENGINES) await onEngine(one, () => batches(one));

function batches(one: Engine): void {
  let database: TestDatabase;
  let dataSource: DataSource;
  let store: BindingStore;
  const sources: DataSource[] = [];

  const connect = async (): Promise<{ source: DataSource; bindings: BindingStore }> => {
    const source = await connectTo(database);
    sources.push(source);
    return { source, bindings: (await storesOf(source)).bindings };
  };
  beforeAll(async () => {
    database = await one.create();
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    ({ source: dataSource, bindings: store } = await connect());
    await empty(dataSource);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const source of sources.splice(0)) await source.destroy();
  });

  const isServer = one.service !== undefined;
  /** How many connections were lent since; each is for one statement. */
  const countStatements = (): (() => number) => {
    const spy = vi.spyOn(dataSource, 'createQueryRunner');
    return () => spy.mock.calls.length;
  };

  it('loads that arrive together find exactly what each finds alone', async () => {
    const kept = await fill(store);
    const next = numbers(20_301);
    for (const size of [1, 2, 3, 17, 64, 300]) {
      const queries = someQueries(kept, size, next);
      const alone: Bindings[] = [];
      for (const query of queries) alone.push(sorted(await store.load(query)));
      const together = await Promise.all(queries.map((query) => store.load(query)));
      expect(together.map(sorted)).toEqual(alone);
    }
  });

  it('a load sees every write that returned before it, whatever is under way', async () => {
    const instance = anInstance();
    await store.saveInstance(instance);
    const others: Promise<unknown>[] = [];
    for (let round = 0; round < 20; round++) {
      // Of the same instance, so that the load could join one of them.
      for (let each = 0; each < 5; each++) others.push(store.load({ instanceId: instance.id }));
      if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      const range = `<${round}.0.0`;
      await store.blockVersions(aBlock({ range }));
      expect((await store.load({ instanceId: instance.id })).blockedVersions).toContain(range);
    }
    for (let each = 0; each < 5; each++) others.push(store.load({ instanceId: instance.id }));
    await store.revoke(instance.id, anEnding());
    expect((await store.load({ instanceId: instance.id })).instance?.status).toBe('revoked');
    await Promise.all(others);
  });

  it('equal loads share rows, but nobody can change the answer of another', async () => {
    const instance = anInstance({ suspendedBy: ['root'] });
    const session = aSession(instance);
    await store.saveInstance(instance);
    await store.bind(session);
    await store.blockVersions(aBlock());
    const statements = countStatements();
    const query = { instanceId: instance.id, sessionId: session.id };
    const answers = await Promise.all([store.load(query), store.load(query), store.load({ ...query })]);
    if (isServer) expect(statements()).toBe(1);
    const [first, ...rest] = structuredClone(answers);
    expect(rest).toEqual([first, first]);
    const [changed, ...others] = answers as [Bindings, Bindings, Bindings];
    (changed.instance?.suspendedBy as string[] | undefined)?.push('hooking');
    Object.assign(changed.instance?.publicKey ?? {}, { x: 'another' });
    Object.assign(changed.session ?? {}, { endedAt: 1 });
    (changed.blockedVersions as string[] | undefined)?.pop();
    expect(changed).not.toEqual(first);
    expect(others).toEqual([first, first]);
  });

  it('a statement that fails refuses all its loads, and the next one answers', async () => {
    const instance = anInstance();
    await store.saveInstance(instance);
    await dataSource.query('ALTER TABLE tab_blocked_version RENAME TO elsewhere');
    const queries = [instance.id, aHash(), aHash()].map((instanceId) => ({ instanceId }));
    const outcomes = await Promise.allSettled(queries.map((query) => store.load(query)));
    await dataSource.query('ALTER TABLE elsewhere RENAME TO tab_blocked_version');
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
    }
    expect(await Promise.all(queries.map((query) => store.load(query)))).toEqual([{ instance }, {}, {}]);
  });

  it('a text that the database refuses fails nobody else', async () => {
    const instance = anInstance();
    await store.saveInstance(instance);
    const queries = [instance.id, 'a\0b', '\ud800'].map((instanceId) => ({ instanceId }));
    const [found] = await Promise.allSettled(queries.map((query) => store.load(query)));
    expect(found).toEqual({ status: 'fulfilled', value: { instance } });
  });

  if (!isServer) return;

  it('all loads of one turn, of whatever kind, are one statement', async () => {
    const kept = await fill(store);
    const statements = countStatements();
    const [instance, session] = [kept.instances[0], kept.sessions[0]];
    const instanceId = instance?.id ?? '';
    const credentialHash = session?.credentialHash ?? '';
    await Promise.all([
      store.load({ instanceId }),
      store.load({ instanceId, sessionId: session?.id ?? '' }),
      store.load({ instanceId, credentialHash }),
      store.load({ instanceId: aHash() }),
    ]);
    expect(statements()).toBe(1);
  });

  it('a statement belongs to no request', async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const original = dataSource.createQueryRunner.bind(dataSource);
    vi.spyOn(dataSource, 'createQueryRunner').mockImplementation((mode) => {
      seen.push(context.getStore());
      return original(mode);
    });
    await context.run('one', () => store.load({ instanceId: aHash() }));
    await context.run('two', () => Promise.all([1, 2, 3].map(() => store.load({ instanceId: aHash() }))));
    expect(seen).toEqual([undefined, undefined]);
  });

  if (one.name !== 'PostgreSQL') return;

  it.each([
    ['that the server has forgotten', 'DEALLOCATE ALL'],
    ['of a table that was changed', 'ALTER TABLE tab_app_instance ALTER COLUMN app_version TYPE text'],
  ])('a prepared statement %s is sent as it is', async (_name, change) => {
    // One connection, so that the change is made on the one that has prepared the statement.
    const source = await connectTo(database, { extra: { max: 1 } });
    sources.push(source);
    const { bindings } = await storesOf(source);
    const instance = anInstance();
    await bindings.saveInstance(instance);
    const queries = [{ instanceId: instance.id }, { instanceId: aHash() }];
    const loadBoth = () => Promise.all(queries.map((query) => bindings.load(query)));
    await loadBoth();
    const prepared: unknown[] = await source.query('SELECT name FROM pg_prepared_statements');
    expect(prepared).toHaveLength(1);
    await source.query(change);
    expect(await loadBoth()).toEqual([{ instance }, {}]);
    expect(await bindings.load(queries[0] as BindingQuery)).toEqual({ instance });
  });
}
