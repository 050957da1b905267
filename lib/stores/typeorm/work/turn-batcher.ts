import { AsyncResource } from 'node:async_hooks';
import { unavailable as failed } from '../../../errors/deadline.js';
import { unavailable } from '../database/database-error.js';

/** How much a batcher does at once. Each is a positive integer. */
export interface BatchLimits {
  /** Most questions of one batch. */
  readonly maxBatch: number;
  /** Most batches that the database works on at once; with two or more, one that hangs does not stop the others. */
  readonly maxInFlight: number;
  /** Milliseconds that questions gather at most while a batch is under way. */
  readonly patience: number;
  /** Most calls without an answer, those that share a question included; above, calls are refused at once. */
  readonly maxWaiting: number;
}

/** Answers questions that all differ, in their order. Rejects when any answer is not certain. */
export type AnswerAll<Q, A> = (questions: readonly Q[]) => Promise<readonly A[]>;

/** A question that has no answer yet. */
interface OpenQuestion<Q, A> {
  readonly key: string;
  readonly question: Q;
  readonly answer: Promise<A>;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: Error) => void;
  /** How many calls wait for it. */
  callers: number;
}

/**
 * Puts questions that arrive in one turn of the event loop into one batch. An idle server waits for the end of the turn,
 * never for more questions; a busy one gathers them while a batch is under way, or a while if that takes long. Each is asked
 * after it was called for: a call joins an equal question that waits, never one that was sent.
 */
export class TurnBatcher<Q, A> {
  private readonly queue: OpenQuestion<Q, A>[] = [];
  /** Those in the queue, by their keys. */
  private readonly unsent = new Map<string, OpenQuestion<Q, A>>();
  private readonly outside = new AsyncResource('TabTurnBatcher');
  private waiting = 0;
  private inFlight = 0;
  private scheduled = false;
  private timer: NodeJS.Timeout | undefined;

  /** @param what how the log names the questions */
  constructor(
    private readonly what: string,
    private readonly answerAll: AnswerAll<Q, A>,
    private readonly limits: BatchLimits,
  ) {}

  /**
   * @param key equal exactly for equal questions
   * @returns the answer, which calls with the same key may share
   * @throws TabError `store_unavailable` when the batch fails, or too many calls wait
   */
  ask(key: string, question: Q): Promise<A> {
    if (this.waiting >= this.limits.maxWaiting) return Promise.reject(failed(`the queue of ${this.what} (it is full)`));
    this.waiting++;
    let open = this.unsent.get(key);
    if (!open) {
      open = openQuestion<Q, A>(key, question);
      this.unsent.set(key, open);
      this.queue.push(open);
    }
    open.callers++;
    this.schedule();
    return open.answer;
  }

  /**
   * Lets the questions of this turn gather. `setImmediate` comes after all requests that one look at the sockets brought.
   * The batch belongs to no request: it must not inherit the context of one, with its trace or its transaction.
   */
  private schedule(): void {
    const { maxBatch, maxInFlight, patience } = this.limits;
    if (this.scheduled || this.queue.length === 0 || this.inFlight >= maxInFlight) return;
    if (this.inFlight === 0 || this.queue.length >= maxBatch) {
      this.scheduled = true;
      this.outside.runInAsyncScope(() => setImmediate(() => this.flush()));
    } else {
      // The end of the batch under way comes first, unless it hangs.
      this.timer ??= this.outside.runInAsyncScope(() => setTimeout(() => this.flush(), patience));
    }
  }

  private flush(): void {
    this.scheduled = false;
    clearTimeout(this.timer);
    this.timer = undefined;
    while (this.queue.length > 0 && this.inFlight < this.limits.maxInFlight) {
      const batch = this.queue.splice(0, this.limits.maxBatch);
      for (const { key } of batch) this.unsent.delete(key);
      void this.send(batch);
    }
  }

  private async send(batch: readonly OpenQuestion<Q, A>[]): Promise<void> {
    this.inFlight++;
    try {
      const answers = await this.answerAll(batch.map(({ question }) => question));
      // Ensures that no question gets the answer of another.
      if (answers.length !== batch.length) throw failed(`a batch of ${this.what} (answers are missing)`);
      for (const [index, open] of batch.entries()) open.resolve(answers[index] as A);
    } catch (error) {
      const refusal = unavailable(error);
      for (const open of batch) open.reject(refusal);
    } finally {
      for (const { callers } of batch) this.waiting -= callers;
      this.inFlight--;
      this.schedule();
    }
  }
}

function openQuestion<Q, A>(key: string, question: Q): OpenQuestion<Q, A> {
  let settle: Pick<OpenQuestion<Q, A>, 'resolve' | 'reject'> | undefined;
  const answer = new Promise<A>((resolve, reject) => (settle = { resolve, reject }));
  return { key, question, answer, callers: 0, ...(settle as Pick<OpenQuestion<Q, A>, 'resolve' | 'reject'>) };
}
