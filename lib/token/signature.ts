import { verify, type KeyObject, type VerifyKeyObjectInput } from 'node:crypto';
import { availableParallelism } from 'node:os';
// Not the global: tests of applications put clocks of their own there, which may never come round.
import { setImmediate } from 'node:timers';
import { TabError } from '../errors/tab-error.js';
import { SIGNATURE_ALGORITHMS } from './algorithms.js';
import type { TabAlgorithm } from './claims.types.js';
import { p1363ToDer } from './der.js';

/** An instance key, imported once. Immutable under its thumbprint, so it may be cached. */
export interface InstanceKey {
  readonly alg: TabAlgorithm;
  readonly key: KeyObject;
}

/** Where the signature is verified: on the main thread, on the thread pool, or whichever suits the load. */
export type SignatureMode = 'auto' | 'sync' | 'pool';

/**
 * `auto` takes to the pool when this many requests are there at once, and back to this thread when there are no more than
 * `CALM`. The distance keeps it from changing its mind with every request: a pool that is used now and then is slower than
 * either.
 */
const BUSY = 4;
const CALM = 1;

/** Verifies JWS signatures (RFC 7515 section 5.2) with `node:crypto`. */
export class SignatureVerifier {
  readonly #isAuto: boolean;
  #underWay = 0;
  /** Requests that have ended in this turn of the event loop. */
  #endedInTurn = 0;
  #pooled: boolean;

  /** @param cores processor cores of this process: the pool of a single one only takes turns with this thread */
  constructor(mode: SignatureMode, cores = availableParallelism()) {
    this.#isAuto = mode === 'auto' && cores > 1;
    this.#pooled = mode === 'pool';
  }

  /** Says that a request has begun; `auto` goes by how many there are. */
  enter(): void {
    this.#underWay += 1;
    if (this.#isAuto && this.#present >= BUSY) this.#pooled = true;
  }

  /** Says that a request has ended. */
  leave(): void {
    this.#underWay -= 1;
    if (!this.#isAuto) return;
    this.#endedInTurn += 1;
    if (this.#endedInTurn === 1) setImmediate(this.#onTurn);
    this.#calm();
  }

  #calm(): void {
    if (this.#present <= CALM) this.#pooled = false;
  }

  /**
   * Requests that are there at once. One that needs nothing but this thread has ended before the next is read from its socket:
   * how many wait there shows only in how many one turn of the event loop brings.
   */
  get #present(): number {
    return this.#underWay + this.#endedInTurn;
  }

  readonly #onTurn = (): void => {
    this.#endedInTurn = 0;
    this.#calm();
  };

  /**
   * Ensures that `signature` over `input` is by `instanceKey`. A promise only where the pool verifies.
   *
   * @throws TabError `bad_signature`
   */
  check(instanceKey: InstanceKey, input: Uint8Array, signature: Uint8Array): void | Promise<void> {
    // A lone request is answered soonest on this thread; several at once share the cores through the pool.
    if (this.#pooled) return verifyPooled(instanceKey, input, signature).then(ensureValid);
    ensureValid(verifySignature(instanceKey, input, signature));
  }
}

function ensureValid(valid: boolean): void {
  if (!valid) throw new TabError('bad_signature', 'signature does not verify');
}

interface VerifyArguments {
  readonly digest: string | null;
  readonly key: KeyObject | VerifyKeyObjectInput;
  readonly signature: Uint8Array;
}

/** What `crypto.verify` needs, or undefined when the signature has not the exact length. */
function verifyArguments({ alg, key }: InstanceKey, signature: Uint8Array): VerifyArguments | undefined {
  const algorithm = SIGNATURE_ALGORITHMS[alg];
  if (signature.length !== algorithm.signatureOctets(key)) return undefined;
  return {
    digest: algorithm.digest,
    // A key in an object of options is taken apart and checked by every call; most algorithms need none.
    key: algorithm.options === undefined ? key : { key, ...algorithm.options },
    signature: algorithm.ecdsaFieldOctets === undefined ? signature : p1363ToDer(signature),
  };
}

/** Whether `signature` over `input` is by `instanceKey`; on this thread. */
export function verifySignature(instanceKey: InstanceKey, input: Uint8Array, signature: Uint8Array): boolean {
  const args = verifyArguments(instanceKey, signature);
  return args !== undefined && verify(args.digest, input, args.key, args.signature);
}

function verifyPooled(instanceKey: InstanceKey, input: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const args = verifyArguments(instanceKey, signature);
  if (args === undefined) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    verify(args.digest, input, args.key, args.signature, (error, valid) => (error ? reject(error) : resolve(valid)));
  });
}
