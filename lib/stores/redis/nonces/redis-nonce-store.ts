import { randomBytes } from 'node:crypto';
import { TabConfigError } from '../../../errors/tab-error.js';
import { assertClaimArguments } from '../../../nonces/claim-arguments.js';
import { NonceStore, type Volatility } from '../../../nonces/nonce-store.js';
import type { RedisSend } from '../client/redis-client.js';
import { redisFailed } from '../client/redis-error.js';
import { runScript } from '../client/redis-script.js';
import { ClaimQueue, type OpenClaim } from './claim-queue.js';
import { readReplies, type ClaimReply } from './claim-replies.js';
import { isOlderThan, Lives, readSighting, secondsUntilOpen, type Life } from './lives.js';
import { CLAIM, LOOK, TOGETHER } from './scripts.js';

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

/** Claims of one script, and the lives that they are made in: all with one owner. */
interface Batch {
  readonly owner: string;
  readonly claims: OpenClaim[];
  readonly lives: Map<string, Life>;
}

/**
 * Used nonces in Redis: claims that arrive together are one script, which runs as one step and ends with a `SET … NX` for each.
 * Where one server has all keys, they go in one script whatever their buckets are; in a cluster, in one for each bucket.
 *
 * A claim wins only in a life of the server that began well before its token was made (see `LOOK`). So a server that came
 * back empty, or with an old snapshot, or a replica that lacks the last claims, refuses for 30 s what may have been spent
 * before; nobody has to notice first.
 */
export class RedisNonceStore extends NonceStore {
  private readonly lives = new Lives(BUCKETS);
  private readonly queue = new ClaimQueue((claims) => this.sendEach(claims));
  private looking: Promise<void> | undefined;
  /** Whether one server has all buckets. Until that is known it is not assumed. */
  private together = false;

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
    if (this.lives.get(bucket) === undefined) await this.lookAt(bucket);
    return this.queue.claim(key, bucket, expiresAt);
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

  /** Sends claims in as few scripts as can be. Each is judged by the very life whose record goes with it. */
  private async sendEach(claims: readonly OpenClaim[]): Promise<void> {
    const batches = new Map<string, Batch>();
    for (const claim of claims) {
      const life = this.lives.get(claim.bucket);
      // Ensures that what was spent before this life, and is forgotten, does not win in it.
      if (life === undefined || isOlderThan(claim.expiresAt, life)) claim.reject(this.tooOld(life));
      else this.batchOf(batches, claim.bucket, life).claims.push(claim);
    }
    await Promise.all(Array.from(batches.values(), (batch) => this.sendOne(batch)));
  }

  private batchOf(batches: Map<string, Batch>, bucket: string, life: Life): Batch {
    const name = this.together ? life.owner : bucket;
    let batch = batches.get(name);
    if (!batch) batches.set(name, (batch = { owner: life.owner, claims: [], lives: new Map() }));
    batch.lives.set(bucket, life);
    return batch;
  }

  /** Once, whatever comes of it: of a script that failed nobody knows what it did, so none of its claims has won. */
  private async sendOne({ owner, claims, lives }: Batch): Promise<void> {
    try {
      const nonces = claims.map(({ key, bucket }) => this.keyOf(bucket, key));
      const records = Array.from(lives.keys(), (bucket) => this.keyOf(bucket));
      const expiries = claims.map(({ expiresAt }) => String(expiresAt));
      const known = Array.from(lives.values(), ({ record }) => record);
      const args = [owner, String(claims.length), ...expiries, ...known];
      const reply = await runScript(this.send, CLAIM, [...nonces, ...records] as [string, ...string[]], args);
      const replies = readReplies(reply, claims.length);
      if (replies === undefined) throw redisFailed('Redis gave an unexpected reply to a claim');
      if (replies === 'changed') throw this.changed();
      for (const [index, claim] of claims.entries()) settle(claim, replies[index]);
    } catch (error) {
      // Until it is known again that one server has all buckets: a cluster refuses keys of several slots.
      this.together = false;
      for (const claim of claims) claim.reject(error);
    }
  }

  private tooOld(life: Life | undefined): Error {
    if (life === undefined) return redisFailed('Redis has no life');
    return redisFailed('Redis began to remember only now', undefined, secondsUntilOpen(life, this.now()));
  }

  private changed(): Error {
    // The others will have changed too; if this fails, the next claim finds out again.
    this.lookAtAll().catch(() => undefined);
    return redisFailed('Redis was restarted, emptied or replaced');
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
    this.together = await this.areTogether();
  }

  /** Whatever does not say so means that they are not, which is right everywhere, and slower. */
  private async areTogether(): Promise<boolean> {
    const keys = BUCKETS.map((bucket) => this.keyOf(bucket)) as [string, ...string[]];
    const records = BUCKETS.map((bucket) => this.lives.get(bucket)?.record ?? '');
    const reply = await runScript(this.send, TOGETHER, keys, records).catch(() => undefined);
    return reply === 'together';
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

function settle(claim: OpenClaim, reply: ClaimReply | undefined): void {
  if (reply === 'won') return claim.resolve(true);
  if (reply === 'lost') return claim.resolve(false);
  claim.reject(redisFailed('the claim is over by the clock of Redis: synchronise the clocks of Redis and the nodes'));
}
