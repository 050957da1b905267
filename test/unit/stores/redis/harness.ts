import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { freePort } from '../../../utils/http/app.js';
import type { RedisClient, RedisSend } from '../../../../lib/stores/redis/index.js';
import { serviceAddress, type ServiceAddress } from '../../../utils/services.js';

/** A connected client under test. */
export interface OpenClient {
  readonly client: RedisClient;
  close(): Promise<void>;
}

/** A client library under test. */
export interface ClientKind {
  readonly name: string;
  open(address?: ServiceAddress): Promise<OpenClient>;
}

/** Client libraries that the stores work with. */
export const CLIENTS: readonly ClientKind[] = [
  {
    name: 'ioredis',
    open: async (address = serviceAddress('redis')) => {
      const client = anIoredis(address);
      return { client, close: async () => client.disconnect() };
    },
  },
  {
    name: 'node-redis',
    open: async ({ host, port } = serviceAddress('redis')) => {
      const client = createClient({ socket: { host, port, reconnectStrategy: false }, disableOfflineQueue: true });
      client.on('error', () => undefined);
      await client.connect();
      return { client, close: async () => (client.isOpen ? client.destroy() : undefined) };
    },
  },
];

/** An ioredis client that does not outlive its test. */
export function anIoredis(address: ServiceAddress = serviceAddress('redis'), options: object = {}): Redis {
  const client = new Redis({ ...address, maxRetriesPerRequest: 1, retryStrategy: () => 20, ...options });
  client.on('error', () => undefined);
  return client;
}

/** A prefix for the keys of one test, so that parallel runs do not meet on a server. */
export const aPrefix = (): string => `tab-test-${process.pid}-${randomBytes(5).toString('hex')}:`;

/** Deletes the keys of a prefix, and no others. */
export async function deleteKeys(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1000 })) {
    if ((keys as string[]).length > 0) await redis.del(...(keys as string[]));
  }
}

/** Makes the lives of a prefix begin earlier than they did, so that a test need not wait until they are relied on. */
export async function ageLives(redis: Redis, prefix: string, seconds = 3600): Promise<void> {
  const keys = await redis.keys(`${prefix}*:life`);
  for (const key of keys) {
    const [id, owner, since] = (await redis.get(key))?.split(' ') ?? [];
    await redis.set(key, `${id} ${owner} ${Number(since) - seconds}`);
  }
}

/** A Redis of one's own, which a test may stop, kill and start. */
export interface PrivateRedis {
  readonly address: ServiceAddress;
  readonly client: Redis;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  start(): Promise<void>;
  /** Ends it for good. */
  remove(): Promise<void>;
}

/** Starts a Redis of one's own; undefined, with a notice, where the program is absent. */
export async function aPrivateRedis(...settings: string[]): Promise<PrivateRedis | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'tab-redis-'));
  const address = { host: '127.0.0.1', port: await freePort() };
  const client = anIoredis(address, { lazyConnect: true, maxRetriesPerRequest: null });
  let child: ChildProcess | undefined;
  const start = async () => {
    child = spawn(
      'redis-server',
      ['--bind', address.host, '--port', String(address.port), '--dir', folder, ...settings],
      {
        stdio: 'ignore',
      },
    );
    await once(child, 'spawn');
    await accepting(address);
  };
  const stop = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  const remove = async () => {
    client.disconnect();
    await stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await remove();
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
    if (process.env['TAB_REQUIRE_SERVICES'] === '1') throw error;
    console.warn('no redis-server on the PATH: the tests that need one of their own are skipped');
    return undefined;
  }
  return { address, client, stop, start, remove };
}

/** Waits until the server answers commands. */
async function accepting(address: ServiceAddress): Promise<void> {
  const probe = anIoredis(address, { maxRetriesPerRequest: null, enableReadyCheck: true });
  await probe.ping();
  probe.disconnect();
}

/** A way to Redis that loses the next answer, together with the connection, after the command was carried out. */
export class LossyProxy {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private losing = false;
  /** How many answers were lost. */
  lost = 0;

  constructor(target: ServiceAddress = serviceAddress('redis')) {
    this.server = createServer((near) => {
      const far = connect(target);
      for (const socket of [near, far]) {
        this.sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket));
      }
      near.on('data', (chunk) => far.write(chunk)).on('close', () => far.destroy());
      far.on('close', () => near.destroy());
      far.on('data', (chunk) => {
        if (!this.losing) return void near.write(chunk);
        this.losing = false;
        this.lost += 1;
        near.destroy();
        far.destroy();
      });
    });
  }

  async listen(): Promise<ServiceAddress> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this.address;
  }

  get address(): ServiceAddress {
    return { host: '127.0.0.1', port: (this.server.address() as { port: number }).port };
  }

  loseNext(): void {
    this.losing = true;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** A function client whose answers a test may put in place of those of Redis. */
export function intercepted(redis: Redis) {
  const sent: { args: readonly string[]; firstKey: string }[] = [];
  const hooks: { answer?: (args: readonly string[]) => unknown } = {};
  const send: RedisSend = async (args, firstKey) => {
    sent.push({ args, firstKey });
    const answer: unknown = hooks.answer?.(args);
    if (answer !== undefined) return answer;
    const [command = '', ...rest] = args;
    return redis.call(command, ...rest);
  };
  return { send, sent, hooks };
}
