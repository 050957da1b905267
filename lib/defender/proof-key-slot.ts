import type { ProofKey } from '../token/mint.js';
import { discard, readBounded, refusalOf, type TabAnswer } from './answer.js';
import type { Link, MintedToken, Shared } from './link.js';
import type { OutgoingRequest } from './outgoing-request.js';
import type { ProofKeyReply, ProofKeys } from './proof-keys.js';
import { limited, quietly } from './waiting.js';

/** Octets of the answer that brings a key. */
const MAX_ANSWER = 4_096;

/** Whether a token was refused only for its proof key, so that a signature mends it. */
export function isForProofKey({ proofKid }: MintedToken, { error, requirement }: TabAnswer): boolean {
  const isAsked = error === 'step_up_required' && requirement === 'signature';
  // The latter: a server that can make nothing of the key, such as one that has no proof keys any more.
  return proofKid !== undefined && (isAsked || error === 'unsupported_alg' || error === 'bad_signature');
}

/**
 * The place of the proof keys for one server. What serves them is loaded when there is a use for it; it imports nothing of this
 * bundle, so that bundlers leave that in one piece.
 */
export class ProofKeySlot {
  readonly #shared: Shared;
  readonly #link: Link;
  readonly #send: (request: OutgoingRequest) => Promise<Response>;
  #isLoading = false;
  #keys?: ProofKeys;

  /** @param send sends a request signed by the instance key, and returns the answer as it came */
  constructor(shared: Shared, link: Link, send: (request: OutgoingRequest) => Promise<Response>) {
    this.#shared = shared;
    this.#link = link;
    this.#send = send;
  }

  /** The key for the next token of `route`, or undefined: then the instance key signs. */
  take(route: string): ProofKey | undefined {
    const wish = this.#shared.options.proofKeys;
    if (wish === false || (wish === 'session' && !this.#link.session)) return undefined;
    if (!this.#isLoading) {
      this.#isLoading = true;
      quietly(() => this.#load(route));
    }
    return this.#keys?.take(route);
  }

  /** Keeps what an answer says of the key; also that of a request which passed, and would not have. */
  settle(sent: MintedToken, answer: TabAnswer): void {
    this.#keys?.settle(sent, answer);
  }

  /** Everything goes: the instance has been given up. */
  forget(): void {
    this.#keys?.forget();
  }

  /** Where it cannot be loaded, everything is signed. */
  async #load(route: string): Promise<void> {
    const { ProofKeys } = await import('./proof-keys.js');
    const { instance } = this.#shared;
    this.#keys = new ProofKeys({
      id: () => instance.id,
      now: () => this.#link.localNow(),
      post: (content) => this.#post(content),
    });
    this.#keys.take(route);
  }

  #post(content: Uint8Array<ArrayBuffer>): Promise<ProofKeyReply> {
    const { options, closed } = this.#shared;
    return limited(options.enrolTimeout, closed, async (signal) => {
      const response = await this.#send({
        url: new URL(`${this.#link.api.base}${options.prefix}/proof-keys`),
        method: 'POST',
        headers: new Headers({ 'Content-Type': 'application/json' }),
        content,
        signal,
        // Cookies stay out: a credential that is sent would have to be bound.
        init: { credentials: 'omit', cache: 'no-store', redirect: 'manual' },
      });
      const { status } = response;
      if (status === 201) return { status, text: await readBounded(response, MAX_ANSWER) };
      discard(response);
      return { status, tabError: refusalOf(response).tabError };
    });
  }
}
