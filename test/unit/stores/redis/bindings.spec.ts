import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BINDING_KEYS, bindingKey } from '../../../../lib/stores/redis/bindings/binding-keys.js';
import { decodeInstance, encodeInstance } from '../../../../lib/stores/redis/bindings/rows.js';
import { sortable } from '../../../../lib/stores/redis/bindings/values.js';
import { redisBindings } from '../../../../lib/stores/redis/index.js';
import {
  aBlock,
  aBreach,
  aHash,
  anEnding,
  anInstance,
  aRebinding,
  aSession,
  NOW,
} from '../../../../lib/testing/contract/factories.js';
import { describeService } from '../../../utils/services.js';
import { anIoredis, aPrefix, aPrivateRedis, deleteKeys, intercepted, LossyProxy } from './harness.js';

const corrupt = { code: 'store_unavailable' };

await describeService('redis', 'bindings in Redis', () => {
  let redis: Redis;
  let prefix: string;

  beforeAll(() => {
    redis = anIoredis();
  });
  afterAll(() => redis.disconnect());
  beforeEach(() => {
    prefix = aPrefix();
  });
  afterEach(() => deleteKeys(redis, prefix));

  const open = () => redisBindings(redis, { prefix });
  const key = (name: keyof typeof BINDING_KEYS) => bindingKey(prefix, name);

  async function withSession() {
    const store = open();
    const instance = anInstance();
    const session = aSession(instance, { credentialHash: aHash() });
    await store.saveInstance(instance);
    await store.bind(session);
    return { store, instance, session };
  }

  it('all keys of a call share one slot, and each call is one command', async () => {
    const { send, sent } = intercepted(redis);
    const store = redisBindings(send, { prefix });
    const instance = anInstance();
    await store.saveInstance(instance);
    sent.length = 0;
    await store.load({ instanceId: instance.id, credentialHash: aHash() });
    await store.revoke(instance.id, anEnding());
    expect(sent.filter(({ args }) => args[0] === 'evalsha')).toHaveLength(2);
    for (const { args, firstKey } of sent) {
      const keys = args.slice(3, 3 + Number(args[2]));
      expect(firstKey).toBe(keys[0]);
      expect(keys.every((each) => each.startsWith(`${prefix}{tab}:`))).toBe(true);
    }
    expect(await redis.exists(key('guard'))).toBe(0);
  });

  const lines = (row: string, change: (lines: string[]) => void): string => {
    const list = row.split('\n');
    change(list);
    return list.join('\n');
  };

  it.each<[string, (row: string) => string]>([
    ['nothing in it', () => ''],
    ['other things in it', () => '{"status":"active"}'],
    ['a line less', (row) => lines(row, (list) => list.pop())],
    ['a line more', (row) => `${row}\n`],
    ['an unknown status', (row) => lines(row, (list) => (list[1] = 'fine'))],
    ['a revision that is none', (row) => lines(row, (list) => (list[0] = '1e3'))],
    ['a time that is none', (row) => lines(row, (list) => (list[2] = 'NaN'))],
    ['another algorithm', (row) => row.replace('ES256', 'none')],
    ['a key that is none', (row) => lines(row, (list) => (list[8] = list[8]?.replace(/"\{\\"kty.*?\}"/, '"7"') ?? ''))],
    ['half of it missing', (row) => row.slice(0, row.length / 2)],
  ])('an instance with %s is an error, neither read nor absent', async (_name, change) => {
    const { store, instance } = await withSession();
    const row = await redis.hget(key('instances'), instance.id);
    const changed = change(row ?? '');
    expect(changed).not.toBe(row);
    await redis.hset(key('instances'), instance.id, changed);
    await expect(store.load({ instanceId: instance.id })).rejects.toMatchObject(corrupt);
    await expect(store.findInstances({})).rejects.toMatchObject(corrupt);
  });

  it.each([
    ['fewer lines', (row: string) => lines(row, (list) => list.pop())],
    ['an expiry that is none', (row: string) => lines(row, (list) => (list[2] = 'never'))],
    ['an end that is none', (row: string) => lines(row, (list) => (list[6] = 'no'))],
    ['a hash of another form', (row: string) => lines(row, (list) => (list[3] = 'a b'))],
  ])('a session with %s is an error', async (_name, change) => {
    const { store, instance, session } = await withSession();
    const row = (await redis.hget(key('sessions'), session.id)) ?? '';
    await redis.hset(key('sessions'), session.id, change(row));
    await expect(store.load({ instanceId: instance.id, sessionId: session.id })).rejects.toMatchObject(corrupt);
    await expect(store.findSessions(session.subject)).rejects.toMatchObject(corrupt);
  });

  it('a key of another type is an error', async () => {
    const { store, instance } = await withSession();
    await redis.del(key('instances'));
    await redis.set(key('instances'), 'text');
    await expect(store.load({ instanceId: instance.id })).rejects.toMatchObject({
      detail: 'Redis failed with WRONGTYPE',
    });
  });

  it.each([null, 'OK', 1, [], [null], [null, null, 1], ['x', null, null], [null, null, null, 7], [null, 's', 'row']])(
    'a reply of another form is an error: %j',
    async (reply) => {
      const { send, hooks } = intercepted(redis);
      const store = redisBindings(send, { prefix });
      hooks.answer = () => reply ?? 'nil';
      await expect(store.load({ instanceId: aHash(), sessionId: 's' })).rejects.toMatchObject(corrupt);
      if (reply !== 1) await expect(store.revoke(aHash(), anEnding())).rejects.toMatchObject(corrupt);
      await expect(store.bind(aSession(anInstance()))).rejects.toMatchObject(corrupt);
    },
  );

  it('errors quote nothing of a row', async () => {
    const { store, instance } = await withSession();
    await redis.hset(key('instances'), instance.id, 'the secret of a row');
    const error: unknown = await store.load({ instanceId: instance.id }).catch((reason: unknown) => reason);
    expect(JSON.stringify([String(error), error, (error as Error).cause, String((error as Error).cause)])).not.toMatch(
      /secret/,
    );
  });

  it('what would not fit a database does not fit here either, and nothing is written', async () => {
    const store = open();
    const wrong = [
      { id: 'x'.repeat(44) },
      { id: 'a b' },
      { appId: 'a b' },
      { appVersion: 'x'.repeat(256) },
      { statusAt: 0.5 },
      { revision: 1, createdAt: Number.NaN },
      { status: 'fine' as 'active' },
      { suspendedBy: ['a b'] },
      { attestationClaims: [] as never },
    ];
    for (const change of wrong) await expect(store.saveInstance(anInstance(change))).rejects.toThrow(RangeError);
    const instance = anInstance();
    await store.saveInstance(instance);
    for (const change of [{ subject: 'x'.repeat(256) }, { id: 'a\nb' }, { credentialHash: '' }, { expiresAt: 1.5 }])
      await expect(store.bind(aSession(instance, change))).rejects.toThrow(RangeError);
    await expect(store.suspend(instance.id, anEnding(), ['a\nactive'])).rejects.toThrow(RangeError);
    await expect(store.endSession('x', anEnding({ at: 0.1 }))).rejects.toThrow(RangeError);
    expect(await store.findInstances({})).toEqual([instance]);
  });

  it('numbers, empty lists and odd texts come back as they were', async () => {
    const store = open();
    const claims = { big: 2 ** 53 - 1, small: 5e-324, empty: [], none: {}, odd: '\ud800\n\0"\\/', deep: [[[[]]]] };
    const instance = anInstance({ attestationClaims: claims, createdAt: 2 ** 53 - 1, statusAt: 2 ** 53 - 1 });
    await store.saveInstance(instance);
    const session = aSession(instance, { subject: 'a\ud800\n| b', expiresAt: 2 ** 53 - 1 });
    await store.bind(session);
    await store.suspend(instance.id, anEnding({ reason: 'line\nbreak' }), []);
    const found = await store.load({ instanceId: instance.id, sessionId: session.id });
    expect(found.session).toEqual(session);
    expect(found.instance).toEqual({
      ...instance,
      status: 'suspended',
      statusReason: 'line\nbreak',
      statusAt: NOW + 60,
      revision: 2,
    });
    expect(await store.findSessions('a\ud801\n| b')).toEqual([]);
    expect(await store.findSessions('a\ud800\n| b')).toEqual([session]);
  });

  it('instances are listed in the order of the octets of their ids', async () => {
    const store = open();
    const ids = ['_', '-', 'a', 'B', 'b', 'A', '0', 'z', 'Z'].map((first) => `${first}${aHash().slice(1)}`);
    for (const [index, id] of ids.entries()) await store.saveInstance(anInstance({ id, appId: `app.${index % 3}` }));
    expect((await store.findInstances({})).map(({ id }) => id)).toEqual([...ids].sort());
  });

  it('an instance that changes its app is listed under the new one only', async () => {
    const store = open();
    const instance = anInstance();
    await store.saveInstance(instance);
    await store.saveInstance({ ...instance, appId: 'com.example.other' }, 1);
    expect(await store.findInstances({ appId: instance.appId })).toEqual([]);
    expect(await store.findInstances({ appId: 'com.example.other' })).toHaveLength(1);
  });

  it('an unattested instance is kept while it has a session, and goes after the last', async () => {
    const store = open();
    const old = anInstance({ format: 'none', assurance: 'none', createdAt: NOW - 1 });
    await store.saveInstance(old);
    const sessions = [aSession(old), aSession(old, { expiresAt: NOW + 7200 })];
    for (const session of sessions) await store.bind(session);
    const sweep = (sessionsBefore: number) =>
      store.sweep({ sessionsBefore, unattestedBefore: NOW, breachesBefore: NOW, limit: 10 });
    expect([await sweep(NOW), await sweep(NOW + 3601), await sweep(NOW + 7201)]).toEqual([0, 1, 2]);
    expect(await store.load({ instanceId: old.id })).toEqual({});
  });

  it('nothing is left of what was swept', async () => {
    const store = open();
    const instance = anInstance({ format: 'none', assurance: 'none', createdAt: NOW - 1 });
    await store.saveInstance(instance);
    const session = aSession(instance, { credentialHash: aHash(), expiresAt: NOW + 30 });
    await store.bind(session);
    await store.rebind(aRebinding(session));
    await store.endSession(session.id, anEnding());
    await store.recordBreach(aBreach({ instanceId: instance.id, at: -7 }));
    await store.blockVersions(aBlock());
    await store.unblockVersions('com.example.bank', '<3.2.0');
    await store.sweep({ sessionsBefore: NOW + 99, unattestedBefore: NOW, breachesBefore: NOW, limit: 500 });
    // The set of apps stays; it is as large as the number of apps.
    expect(await redis.keys(`${prefix}*`)).toEqual([key('apps')]);
  });

  it('a revocation whose answer was lost has happened, and says so when it is made again', async () => {
    const { store, instance } = await withSession();
    const proxy = new LossyProxy();
    const client = anIoredis(await proxy.listen(), { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false });
    const behind = redisBindings(client, { prefix });
    await behind.load({ instanceId: instance.id });
    await behind.revoke(aHash(), anEnding());
    proxy.loseNext();
    await expect(behind.revoke(instance.id, anEnding())).rejects.toMatchObject(corrupt);
    expect(await store.revoke(instance.id, anEnding())).toBe(false);
    expect((await store.load({ instanceId: instance.id })).instance?.status).toBe('revoked');
    client.disconnect();
    await proxy.close();
  });
});

const server = await aPrivateRedis('--save', '', '--appendonly', 'no');

describe.skipIf(server === undefined)('bindings in a Redis that is not the primary', () => {
  afterAll(() => server?.remove());

  it('are not read: what was revoked elsewhere may not be known there', async () => {
    if (server === undefined) return;
    const store = redisBindings(server.client);
    const instance = anInstance();
    await store.saveInstance(instance);
    expect((await store.load({ instanceId: instance.id })).instance).toEqual(instance);
    await server.client.call('replicaof', '127.0.0.1', '1');
    await expect(store.load({ instanceId: instance.id })).rejects.toMatchObject({
      detail: 'Redis failed with READONLY',
    });
    await server.client.call('replicaof', 'no', 'one');
    await server.client.config('SET', 'min-replicas-to-write', '1');
    await expect(store.load({ instanceId: instance.id })).rejects.toMatchObject({
      detail: 'Redis failed with NOREPLICAS',
    });
  });
});

describe('rows', () => {
  it('times sort as texts as they do as numbers', () => {
    const times = [Number.MIN_SAFE_INTEGER, -10, -9, 0, 9, 10, NOW, Number.MAX_SAFE_INTEGER];
    expect(times.map(sortable)).toEqual(times.map(sortable).toSorted());
    expect(new Set(times.map((time) => sortable(time).length))).toEqual(new Set([17]));
    expect(() => sortable(2 ** 53)).toThrow(RangeError);
  });

  it('a row is one line for each member that scripts look at', () => {
    const instance = anInstance({ status: 'suspended', suspendedBy: ['root', 'x-a-b'], statusReason: '' });
    const row = encodeInstance(instance);
    expect(row.split('\n').slice(0, 8)).toEqual([
      '1',
      'suspended',
      String(NOW),
      'root x-a-b',
      '""',
      'android-key',
      String(NOW),
      'com.example.bank',
    ]);
    expect(decodeInstance(instance.id, row)).toEqual(instance);
  });
});
