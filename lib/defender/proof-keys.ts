import type { ProofKey } from '../token/mint.js';
import type { TabAnswer } from './answer.js';
import type { MintedToken } from './link.js';
import { beginExchange, type GrantedProofKey } from './proof-key-recipient.js';

/** A key with the local time, in seconds, from before it was asked for: so it is over here before it is there. */
interface HeldKey extends GrantedProofKey {
  readonly from: number;
}

/** The answer to a request for a proof key. */
export interface ProofKeyReply {
  readonly status: number;
  readonly tabError?: string;
  /** The content, where it may be a key. */
  readonly text?: string;
}

/** What proof keys need of the Defender. */
export interface ProofKeyHost {
  /** The instance id; undefined while there is none. */
  id(): string | undefined;
  /** Local time, in seconds. */
  now(): number;
  /** Sends a request for a proof key, signed by the instance key, with this content. */
  post(content: Uint8Array<ArrayBuffer>): Promise<ProofKeyReply>;
}

/** Seconds before its end in which a key is not used any more: the request has to arrive. */
const MARGIN = 5;
/** Seconds between two attempts to get a key, where one failed. */
const PAUSE = 300;
/** How many routes are remembered as asking for signatures. */
const MAX_ROUTES = 256;

/** After these a key is of no use, and goes: the server can make nothing of it, or its instance is not let in. */
const ENDING: readonly (string | undefined)[] = [
  'unsupported_alg',
  'bad_signature',
  'unknown_instance',
  'instance_suspended',
  'instance_revoked',
];

/**
 * The proof key for one server, in memory only. Asked for in the background, and again when two thirds of its life are over; no
 * request waits for it or fails for want of it: the instance key then signs.
 */
export class ProofKeys {
  readonly #host: ProofKeyHost;
  #held?: HeldKey;
  #isAsking = false;
  /** When to ask again, by the local clock; never, where the server has none. */
  #askFrom = 0;
  /** Routes that refused a key, by its `kid`; those that refused two ask for signatures, whatever the key. */
  readonly #refused = new Map<string, string>();

  constructor(host: ProofKeyHost) {
    this.#host = host;
  }

  /** The key for the next token of `route`, or undefined: then the instance key signs. */
  take(route: string): ProofKey | undefined {
    const id = this.#host.id();
    if (id === undefined) return undefined;
    const now = this.#host.now();
    const held = this.#held;
    const age = held ? now - held.from : -1;
    const isGood = held && held.kid.startsWith(`${id}~`) && age >= 0 && age < held.expiresIn - MARGIN;
    if (!isGood) this.#held = undefined;
    if (!isGood || age * 3 >= held.expiresIn * 2) this.#ask(id, now);
    const refused = this.#refused.get(route);
    return refused === '' || refused === held?.kid ? undefined : this.#held;
  }

  /** Keeps what an answer says of the key; also that of a request which passed, and would not have. */
  settle({ proofKid, route }: MintedToken, { error, monitor, requirement }: TabAnswer): void {
    const code = error ?? monitor;
    if (ENDING.includes(code)) {
      this.#held = undefined;
      this.#pause();
    }
    // Because of the route, or because of the key.
    const isRefused = code === 'step_up_required' && requirement !== 'attestation';
    if (proofKid === undefined || !isRefused) return;
    if (this.#refused.size > MAX_ROUTES) this.#refused.clear();
    const before = this.#refused.get(route) ?? proofKid;
    this.#refused.set(route, before === proofKid ? proofKid : '');
  }

  /** Everything goes: the instance has been given up. */
  forget(): void {
    this.#held = undefined;
    this.#refused.clear();
    if (this.#askFrom !== Number.POSITIVE_INFINITY) this.#askFrom = 0;
  }

  #pause(): void {
    this.#askFrom = Math.max(this.#askFrom, this.#host.now() + PAUSE);
  }

  #ask(id: string, now: number): void {
    if (this.#isAsking || now < this.#askFrom) return;
    this.#isAsking = true;
    this.#pause();
    this.#request(id, now)
      // No key then; the instance key signs.
      .catch(() => undefined)
      .finally(() => (this.#isAsking = false));
  }

  async #request(id: string, now: number): Promise<void> {
    const { content, open } = await beginExchange();
    const { status, tabError, text } = await this.#host.post(content);
    // A server without proof keys has no such place, and is not asked again.
    if (status === 404 && !tabError) this.#askFrom = Number.POSITIVE_INFINITY;
    if (status !== 201) return;
    const granted = await open(text, id);
    // Given up meanwhile: nothing of it is kept.
    if (this.#host.id() !== id) return;
    this.#held = { ...granted, from: now };
    this.#askFrom = 0;
  }
}
