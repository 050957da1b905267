import { AsyncResource } from 'node:async_hooks';
import { redisFailed } from '../client/redis-error.js';

/** Most claims of one script: few enough that Redis, which does nothing else meanwhile, is done within half a millisecond. */
const MOST_TOGETHER = 128;
/** Most claims without an answer; above, claims are refused at once. About 5 MB. */
const MOST_WAITING = 10_000;

/** A claim that has no answer yet. It is settled once. */
export interface OpenClaim {
  readonly key: string;
  readonly bucket: string;
  readonly expiresAt: number;
  readonly resolve: (won: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers the claims that arrive in one turn of the event loop, so that they cost one script. An idle server waits for the
 * end of the turn, never for more claims. A claim is handed on once, and never again.
 */
export class ClaimQueue {
  private queue: OpenClaim[] = [];
  private waiting = 0;
  private scheduled = false;
  /** Scripts belong to no request: they must not inherit the context of one, with its trace. */
  private readonly outside = new AsyncResource('TabRedisClaims');

  /** @param send settles each of the claims that it is given before it is done; it does not reject */
  constructor(private readonly send: (claims: readonly OpenClaim[]) => Promise<unknown>) {}

  /** @throws TabError `store_unavailable` when too many claims wait, or what the claim is settled with */
  claim(key: string, bucket: string, expiresAt: number): Promise<boolean> {
    if (this.waiting >= MOST_WAITING) return Promise.reject(redisFailed('too many claims wait for Redis'));
    this.waiting++;
    this.schedule();
    return new Promise((resolve, reject) => {
      this.queue.push({ key, bucket, expiresAt, resolve, reject });
    });
  }

  /** `setImmediate` comes after all requests that one look at the sockets brought; microtasks run between them. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.outside.runInAsyncScope(() => setImmediate(() => this.flush()));
  }

  private flush(): void {
    this.scheduled = false;
    const claims = this.queue;
    this.queue = [];
    for (let at = 0; at < claims.length; at += MOST_TOGETHER) {
      const some = claims.slice(at, at + MOST_TOGETHER);
      void this.send(some).finally(() => (this.waiting -= some.length));
    }
  }
}
