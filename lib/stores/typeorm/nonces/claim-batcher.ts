import { AsyncResource } from 'node:async_hooks';
import { unavailable as failed } from '../../../errors/deadline.js';
import { unavailable } from '../database/database-error.js';
import type { Claim, InsertClaims } from './claim.types.js';

/** How much a batcher does at once. Each is a positive integer. */
export interface ClaimLimits {
  /** Most claims of one statement. Default 256: larger ones hold locks, or SQLite's thread, for longer and gain nothing. */
  readonly maxBatch: number;
  /** Most batches that the database works on at once. Default 3: one that hangs does not stop the others. */
  readonly maxInFlight: number;
  /** Most claims without an answer, copies included; above, claims are refused at once. Default 10,000, about 3 MB. */
  readonly maxWaiting: number;
}

const DEFAULTS: ClaimLimits = { maxBatch: 256, maxInFlight: 3, maxWaiting: 10_000 };

/** A claim that has no answer yet. */
interface OpenClaim extends Claim {
  readonly outcome: Promise<boolean>;
  readonly resolve: (won: boolean) => void;
  readonly reject: (error: Error) => void;
  /** How many calls wait for it: the first, and those that came with the same key meanwhile. */
  callers: number;
}

/**
 * Puts claims that arrive in one turn of the event loop into one statement: a commit costs the same for many rows as for
 * one. An idle server waits for the end of the turn, never for more claims; a busy one gathers them while batches are under
 * way. A batch is sent once: when it fails, its claims are refused, since nobody knows which of its rows are there.
 */
export class ClaimBatcher {
  private readonly limits: ClaimLimits;
  private readonly queue: OpenClaim[] = [];
  private readonly open = new Map<string, OpenClaim>();
  private readonly outside = new AsyncResource('TabClaimBatcher');
  private waiting = 0;
  private inFlight = 0;
  private scheduled = false;

  /** @param insert writes a batch; each key occurs once in it, and in no other batch of this batcher under way */
  constructor(
    private readonly insert: InsertClaims,
    limits: Partial<ClaimLimits> = {},
  ) {
    this.limits = { ...DEFAULTS, ...limits };
  }

  /**
   * Whether this call is the first with its key. Of calls with one key, the first to arrive is the one that may win.
   *
   * @throws TabError `store_unavailable` when the outcome is not known, or too many claims wait
   */
  claim(key: string, expiresAt: number): Promise<boolean> {
    if (this.waiting >= this.limits.maxWaiting) return Promise.reject(failed('the queue of claims (it is full)'));
    this.waiting++;
    const earlier = this.open.get(key);
    // A copy loses whether the first wins or loses; while that is unknown, so is this.
    if (earlier) return this.join(earlier).then(() => false);
    const claim = openClaim(key, expiresAt);
    this.open.set(key, claim);
    this.queue.push(claim);
    this.schedule();
    return claim.outcome;
  }

  private join(claim: OpenClaim): Promise<boolean> {
    claim.callers++;
    return claim.outcome;
  }

  /**
   * Lets the claims of this turn gather. `setImmediate` comes after all requests that one look at the sockets brought, and
   * is not waited for; microtasks run between them, so that SQLite would see every claim alone. The batch belongs to no
   * request: it must not inherit the context of one, with its trace or its transaction.
   */
  private schedule(): void {
    if (this.scheduled || this.queue.length === 0 || this.inFlight >= this.limits.maxInFlight) return;
    this.scheduled = true;
    this.outside.runInAsyncScope(() => setImmediate(() => this.flush()));
  }

  private flush(): void {
    this.scheduled = false;
    while (this.queue.length > 0 && this.inFlight < this.limits.maxInFlight) {
      void this.send(this.queue.splice(0, this.limits.maxBatch));
    }
  }

  private async send(batch: readonly OpenClaim[]): Promise<void> {
    this.inFlight++;
    try {
      const won = await this.insert(batch);
      for (const claim of batch) this.close(claim).resolve(won.has(claim.key));
    } catch (error) {
      const refusal = unavailable(error);
      for (const claim of batch) this.close(claim).reject(refusal);
    } finally {
      this.inFlight--;
      this.schedule();
    }
  }

  private close(claim: OpenClaim): OpenClaim {
    this.open.delete(claim.key);
    this.waiting -= claim.callers;
    return claim;
  }
}

function openClaim(key: string, expiresAt: number): OpenClaim {
  let settle: Pick<OpenClaim, 'resolve' | 'reject'> | undefined;
  const outcome = new Promise<boolean>((resolve, reject) => (settle = { resolve, reject }));
  return { key, expiresAt, outcome, callers: 1, ...(settle as Pick<OpenClaim, 'resolve' | 'reject'>) };
}
