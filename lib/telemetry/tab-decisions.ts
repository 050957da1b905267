import { Subject, type Observable } from 'rxjs';
import type { TrustDecision } from '../trust/trust-decision.js';

/** Decisions kept for look-up by id. */
const KEPT = 1000;

/** The record of what was decided, for operators: a stream, and the last thousand by id. */
export class TabDecisions {
  readonly #subject = new Subject<TrustDecision>();
  readonly #recent = new Map<string, TrustDecision>();

  /** Every decision as it is made. */
  readonly stream: Observable<TrustDecision> = this.#subject.asObservable();

  /** The decision with this id, while it is among the last thousand of this node. */
  find(id: string): TrustDecision | undefined {
    return this.#recent.get(id);
  }

  /** Records a decision. */
  record(decision: TrustDecision): void {
    this.#recent.set(decision.id, decision);
    if (this.#recent.size > KEPT) this.#recent.delete(this.#recent.keys().next().value as string);
    this.#subject.next(decision);
  }

  /** Ends the stream at shutdown. */
  close(): void {
    this.#subject.complete();
  }
}
