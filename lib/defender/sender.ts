import { discard } from './answer.js';
import type { Enroller } from './enrolment.js';
import type { Link, MintedToken, Shared } from './link.js';
import { attemptOf, describe, type OutgoingRequest } from './outgoing-request.js';
import { abortable } from './waiting.js';

/** One attempt: its answer, the token it answers, and what the answer says. */
interface Attempt {
  readonly response: Response;
  readonly sent: MintedToken;
  readonly answer: Awaited<ReturnType<Link['absorb']>>;
}

/** Another attempt is worth it; `nonce`, when given, is reserved for it. */
interface Retry {
  readonly nonce?: string;
}

/** Sends requests to one server: a fresh token for each attempt, and at most one repair per request (PROTOCOL section 7). */
export class Sender {
  readonly #shared: Shared;
  readonly #link: Link;
  readonly #enroller: Enroller;

  constructor(shared: Shared, link: Link, enroller: Enroller) {
    this.#shared = shared;
    this.#link = link;
    this.#enroller = enroller;
  }

  /** The answer to `request`, as it came; `reenrol: false` takes an unknown instance for an answer too. */
  async send(request: OutgoingRequest, options: { reenrol: boolean }): Promise<Response> {
    const first = await this.#attempt(request);
    const retry = await this.#repair(first, request.signal, options.reenrol).catch(async (error: unknown) => {
      await discard(first.response);
      throw error;
    });
    if (!retry) return this.#final(first);
    await discard(first.response);
    return this.#final(await this.#attempt(request, retry.nonce));
  }

  async #attempt(request: OutgoingRequest, nonce?: string): Promise<Attempt> {
    const { options } = this.#shared;
    const minting = this.#link.mint(describe(request, options.boundHeaders), nonce);
    const sent = await abortable(minting, request.signal);
    request.signal?.throwIfAborted();
    const response = await options.fetch(...attemptOf(request, sent.token));
    const answer = await this.#link.absorb(response, sent);
    this.#settle(sent, answer);
    return { response, sent, answer };
  }

  #settle(sent: MintedToken, answer: Attempt['answer']): void {
    const { challenges } = this.#link;
    const code = answer.error ?? answer.monitor;
    if (code === 'use_tab_nonce') challenges.refused();
    else if (answer.nonce !== undefined) challenges.superseded(sent.route, sent.nonce);
    else if (code === undefined) challenges.accepted(sent.route, sent.nonce);
  }

  /** No retry follows, so a challenge that the answer brought is free for others. */
  #final({ response, answer }: Attempt): Response {
    if (answer.nonce !== undefined) this.#link.challenges.add(answer.nonce);
    return response;
  }

  async #repair(attempt: Attempt, signal: AbortSignal | undefined, reenrol: boolean): Promise<Retry | undefined> {
    const { response, sent, answer } = attempt;
    // Nothing but a refusal before the handler may be repeated.
    if (response.status !== 401) return undefined;
    switch (answer.error) {
      case 'use_tab_nonce':
        return answer.nonce === undefined ? undefined : { nonce: answer.nonce };
      case 'stale_token':
        // Refused before anything could be spent: the challenge is still this request's own.
        return answer.learnedSkew ? { nonce: answer.nonce ?? sent.nonce } : undefined;
      case 'unknown_instance':
        return reenrol && (await this.#enroller.repair(sent, signal)) ? { nonce: answer.nonce } : undefined;
      case 'step_up_required':
        return this.#stepUp(attempt, signal, reenrol);
      default:
        return undefined;
    }
  }

  async #stepUp(
    { sent, answer }: Attempt,
    signal: AbortSignal | undefined,
    reenrol: boolean,
  ): Promise<Retry | undefined> {
    // Every token is signed with the instance key, so the new one is what was asked for.
    if (answer.requirement === 'signature') return { nonce: answer.nonce };
    if (answer.requirement !== 'attestation' || !reenrol) return undefined;
    return (await this.#enroller.repair(sent, signal)) ? { nonce: answer.nonce } : undefined;
  }
}
