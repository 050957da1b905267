// Redis: keys under a prefix of its own, deleted by the run. Half of the processes use ioredis, half node-redis.
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { createClient } from 'redis';

const SERVER = {
  host: process.env.TAB_REDIS_HOST ?? '127.0.0.1',
  port: Number(process.env.TAB_REDIS_PORT ?? 6379),
};
/** Seconds by which the store is made older: a new one refuses tokens for half a minute. */
const AGE = 3600;

const redisOf = (library) => import(new URL('stores/redis/index.js', library).href);

/** In the coordinator: makes the store look as if it had been there for a while. */
export async function prepare(library) {
  const prefix = `tab-soak-${process.pid}-${randomBytes(4).toString('hex')}`;
  const client = new Redis(SERVER);
  const keys = () => client.scanStream({ match: `${prefix}:*`, count: 2000 });
  const { redisNonces } = await redisOf(library);
  await redisNonces(client, { prefix: `${prefix}:n:` }).open();
  for await (const batch of keys()) for (const key of batch) await makeOlder(client, key);
  const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1];
  return {
    server: `Redis ${version}`,
    settings: { prefix },
    inspect: async () => {
      const found = new Set();
      for await (const batch of client.scanStream({ match: `${prefix}:n:*`, count: 2000 })) {
        for (const key of batch) if (!key.endsWith(':life')) found.add(key);
      }
      return { dropped: undefined, left: found.size };
    },
    remove: async () => {
      for await (const batch of keys()) if (batch.length > 0) await client.unlink(...batch);
      await client.quit();
    },
  };
}

async function makeOlder(client, key) {
  if (!key.endsWith(':life')) return;
  const [id, owner, since] = (await client.get(key)).split(' ');
  await client.set(key, `${id} ${owner} ${Number(since) - AGE}`);
}

/** In a worker: the stores, and a claim in two steps for sabotage. */
export async function open({ settings: { prefix }, library, worker }) {
  const { redisBindings, redisNonces } = await redisOf(library);
  const { client, call, close } = worker % 2 === 0 ? anIoredis() : await aNodeRedis();
  const nonces = redisNonces(client, { prefix: `${prefix}:n:` });
  const bindings = redisBindings(client, { prefix: `${prefix}:b:` });
  const raw = {
    find: async (key) => (await call('GET', `${prefix}:n:raw:${key}`)) !== null,
    save: (key) => call('SET', `${prefix}:n:raw:${key}`, '1', 'EX', '300'),
  };
  return { stores: { nonces, bindings }, raw, close };
}

function anIoredis() {
  const client = new Redis({ ...SERVER, maxRetriesPerRequest: 1 });
  return { client, call: (...args) => client.call(...args), close: async () => client.disconnect() };
}

async function aNodeRedis() {
  const client = createClient({ socket: SERVER });
  client.on('error', () => undefined);
  await client.connect();
  return { client, call: (...args) => client.sendCommand(args), close: async () => client.destroy() };
}
