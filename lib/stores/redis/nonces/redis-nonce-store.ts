import { randomBytes } from 'node:crypto';
import { TabConfigError } from '../../../errors/tab-error.js';
import { assertClaimArguments } from '../../../nonces/claim-arguments.js';
import { NonceStore, type Volatility } from '../../../nonces/nonce-store.js';
import type { RedisSend } from '../client/redis-client.js';
import { redisFailed } from '../client/redis-error.js';
import { runScript } from '../client/redis-script.js';
import { isOlderThan, Lives, readSighting, secondsUntilOpen, type Life } from './lives.js';
import { CLAIM, LOOK } from './scripts.js';

/**
 * The first characters that keys have. Each is a bucket: its claims and the record of its life share a slot of a cluster.
 * A constant, since nodes that disagreed on it would each accept a token once.
 */
const BUCKETS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('');

/** `forgetful`: may lose claims when it restarts or fails over. `durable`: never loses what it has answered. */
export type RedisDurability = 'forgetful' | 'durable';

/** The settings of the store, checked. */
export interface RedisNonceSettings {
  readonly prefix: string;
  readonly durability: RedisDurability;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/**
 * Used nonces in Redis: a claim is one script, which runs as one step and ends with `SET … NX`.
 *
 * A claim wins only in a life of the server that began well before its token was made (see `LOOK`). So a server that came
 * back empty, or with an old snapshot, or a replica that lacks the last claims, refuses for 30 s what may have been spent
 * before; nobody has to notice first.
 */
export class RedisNonceStore extends NonceStore {
  private readonly lives = new Lives(BUCKETS);
  private looking: Promise<void> | undefined;

  constructor(
    private readonly send: RedisSend,
    private readonly settings: RedisNonceSettings,
  ) {
    super();
  }

  /** @throws TabConfigError when Redis may evict claims, or does not say who it is; TabError when it does not answer */
  override async open(): Promise<void> {
    await this.lookAtAll();
  }

  override async claim(key: string, expiresAt: number): Promise<boolean> {
    assertClaimArguments(key, expiresAt);
    const bucket = key.charAt(0);
    const life = this.lives.get(bucket) ?? (await this.meet(bucket));
    // Ensures that what was spent before this life, and is forgotten, does not win in it.
    if (isOlderThan(expiresAt, life)) {
      throw redisFailed('Redis began to remember only now', undefined, secondsUntilOpen(life, this.now()));
    }
    const keys = [this.keyOf(bucket, key), this.keyOf(bucket)] as const;
    const reply = await runScript(this.send, CLAIM, keys, [life.record, life.owner, String(expiresAt)]);
    if (reply === 'won') return true;
    if (reply === 'lost') return false;
    throw this.refused(reply);
  }

  /** Entries expire by themselves. What this does is to look whether Redis is still the one that was known. */
  override async sweep(): Promise<number> {
    await this.lookAtAll();
    return 0;
  }

  override get volatility(): Volatility | undefined {
    if (this.settings.durability === 'durable') return undefined;
    const volatility = this.lives.summary();
    if (volatility === undefined) throw redisFailed('redisNonces: await open() before the store is used');
    return volatility;
  }

  private refused(reply: unknown): Error {
    if (reply === 'over') {
      return redisFailed('the claim is over by the clock of Redis: synchronise the clocks of Redis and the nodes');
    }
    if (reply !== 'changed') return redisFailed('Redis gave an unexpected reply to a claim');
    // The others will have changed too; if this fails, the next claim finds out again.
    this.lookAtAll().catch(() => undefined);
    return redisFailed('Redis was restarted, emptied or replaced');
  }

  private async meet(bucket: string): Promise<Life> {
    await this.lookAt(bucket);
    return this.lives.get(bucket) ?? Promise.reject(redisFailed('Redis has no life'));
  }

  /** One look at a time, however many ask. */
  private lookAtAll(): Promise<void> {
    this.looking ??= this.lookAtEach().finally(() => (this.looking = undefined));
    return this.looking;
  }

  /** All buckets are looked at, even if one fails: what cannot be relied on must be known of each. */
  private async lookAtEach(): Promise<void> {
    const looks = await Promise.allSettled(BUCKETS.map((bucket) => this.lookAt(bucket)));
    for (const look of looks) if (look.status === 'rejected') throw look.reason;
  }

  private async lookAt(bucket: string): Promise<void> {
    const { durability } = this.settings;
    const known = this.lives.get(bucket) !== undefined;
    const args = [randomBytes(16).toString('base64url'), durability, known ? '1' : '0'];
    const reply = await runScript(this.send, LOOK, [this.keyOf(bucket)], args);
    const sighting = readSighting(reply);
    if (sighting !== undefined) return this.lives.see(bucket, sighting, this.now());
    // Whatever else it says: claims of the past cannot be relied on any more.
    if (known) this.lives.lose(bucket);
    if (reply === 'evicts') {
      throw new TabConfigError(
        'redisNonces: Redis may evict claims, which lets tokens in again; set maxmemory-policy noeviction',
      );
    }
    if (reply === 'anonymous') {
      throw new TabConfigError(
        "redisNonces: Redis does not tell its run_id, so a restart cannot be noticed; say durability: 'durable' if it never loses a write",
      );
    }
    throw redisFailed('Redis gave an unexpected reply');
  }

  /** The key of a claim; without one, that of the record of its bucket. */
  private keyOf(bucket: string, key = 'life'): string {
    return `${this.settings.prefix}{tab-${bucket}}:${key}`;
  }

  private now(): number {
    return Math.floor(this.settings.clock() / 1000);
  }
}
