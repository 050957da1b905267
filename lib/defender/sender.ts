import { discard } from './answer.js';
import { assertionFor } from './assertion.js';
import { report } from './decision.js';
import { DefenderError } from './defender-error.js';
import type { Enroller } from './enrolment.js';
import { routeOf, type Link, type MintedToken, type Shared } from './link.js';
import { attemptOf, describe, type OutgoingRequest } from './outgoing-request.js';
import { isForProofKey, type ProofKeySlot } from './proof-key-slot.js';
import { followed, isRedirect, MAX_REDIRECTS } from './redirect.js';
import { abortable, quietly } from './waiting.js';

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

/** How to send a request. */
export interface SendOptions {
  /** False: an unknown instance is an answer too. */
  readonly reenrol: boolean;
  /** True: only the instance key will do. */
  readonly signed?: boolean;
  /** True: a request of the Defender's own; how it goes says nothing about the application's. */
  readonly aside?: boolean;
}

/**
 * Sends requests to one server: a fresh token for each attempt, at most one repair per request (PROTOCOL section 7), and a
 * redirect within the server as a request of its own.
 */
export class Sender {
  readonly #shared: Shared;
  readonly #link: Link;
  readonly #enroller: Enroller;
  readonly #proofKeys: ProofKeySlot;

  constructor(shared: Shared, link: Link, enroller: Enroller, proofKeys: ProofKeySlot) {
    this.#shared = shared;
    this.#link = link;
    this.#enroller = enroller;
    this.#proofKeys = proofKeys;
  }

  /**
   * The answer to `request`, as it came.
   * @throws DefenderError `unreachable`; TypeError for a redirect where the request says `redirect: 'error'`
   */
  async send(request: OutgoingRequest, options: SendOptions): Promise<Response> {
    const { apis, prefix } = this.#shared.options;
    let current = request;
    let response = await this.#exchange(current, options);
    for (let redirects = 0; redirects < MAX_REDIRECTS; redirects += 1) {
      const next = followed(current, response, { apis, api: this.#link.api, prefix });
      if (!next) break;
      const answer = await this.#follow(next, options);
      if (!answer) break;
      discard(response);
      [current, response] = [next, answer];
    }
    if (request.init.redirect !== 'error' || !isRedirect(response)) return response;
    discard(response);
    throw new TypeError("The server redirected a request with redirect: 'error'");
  }

  /**
   * The answer to a redirected request; undefined when no token could be had for it: the redirect is then the answer, since
   * such an error would say that nothing was carried out, and what was redirected may have been.
   */
  async #follow(request: OutgoingRequest, options: SendOptions): Promise<Response | undefined> {
    try {
      return await this.#exchange(request, options);
    } catch (error) {
      const isSent = isAbort(error) || (error instanceof DefenderError && error.code === 'unreachable');
      if (isSent || request.signal?.aborted) throw error;
      return undefined;
    }
  }

  /** One request to one target: one attempt, or two; the second is signed, so that no proof key can fail it. */
  async #exchange(request: OutgoingRequest, options: SendOptions): Promise<Response> {
    const first = await this.#attempt(request, 1, options);
    this.#reenrolIfMonitored(first, options.reenrol);
    const retry = await this.#repair(first, request.signal, options.reenrol).catch((error: unknown) => {
      discard(first.response);
      throw error;
    });
    if (!retry) return this.#final(first);
    discard(first.response);
    return this.#final(await this.#attempt(request, 2, { ...options, signed: true }, retry.nonce));
  }

  async #attempt(
    request: OutgoingRequest,
    attempt: number,
    { signed, aside }: SendOptions,
    nonce?: string,
  ): Promise<Attempt> {
    const { options, status } = this.#shared;
    const described = describe(request, options);
    const proofKey = signed ? undefined : this.#proofKeys.take(routeOf(described));
    const sent = await abortable(this.#link.mint(described, nonce, proofKey), request.signal);
    const assertion = await assertionFor(options.assertion, request, sent.token);
    request.signal?.throwIfAborted();
    const started = performance.now();
    const response = await this.#call(request, sent.token, assertion, aside);
    const durationMs = performance.now() - started;
    const answer = this.#link.absorb(response, sent);
    const { error, monitor: monitored } = answer;
    if (this.#link.isOwn(sent)) {
      this.#settle(sent, answer);
      if (!aside) status.answered(this.#link.api.base, { status: response.status, code: error, monitored });
    }
    const outcome = error !== undefined ? 'refused' : monitored !== undefined ? 'monitored' : 'accepted';
    const { url, method } = request;
    report(options.onDecision, response, { url, method, attempt, outcome, code: error ?? monitored, durationMs });
    return { response, sent, answer };
  }

  /** Sends once. What the caller did, such as an abort, is told as it is; everything else is the network. */
  async #call(request: OutgoingRequest, token: string, assertion?: string, aside?: boolean): Promise<Response> {
    // Outside: what cannot be sent is not the network's fault.
    const attempt = attemptOf(request, token, assertion);
    try {
      return await this.#shared.options.fetch(...attempt);
    } catch (cause) {
      if (request.signal?.aborted || isAbort(cause) || cause instanceof DefenderError) throw cause;
      const error = new DefenderError('unreachable', 'The request got no answer', { cause });
      if (!aside) this.#shared.status.failed(this.#link.api.base, error);
      throw error;
    }
  }

  /** In monitor mode the request has passed; the enrolment that it lacked is made up for beside it. */
  #reenrolIfMonitored({ sent, answer }: Attempt, reenrol: boolean): void {
    if (reenrol && answer.monitor === 'unknown_instance') quietly(() => this.#enroller.repair(sent, undefined));
  }

  #settle(sent: MintedToken, answer: Attempt['answer']): void {
    const { challenges } = this.#link;
    const code = answer.error ?? answer.monitor;
    this.#proofKeys.settle(sent, answer);
    if (code === 'use_tab_nonce') challenges.refused();
    else if (answer.nonce !== undefined) challenges.superseded(sent.route, sent.nonce);
    else if (code === undefined) challenges.accepted(sent.route, sent.nonce);
  }

  /** No retry follows, so a challenge that the answer brought is free for others. */
  #final({ response, sent, answer }: Attempt): Response {
    if (answer.nonce !== undefined && this.#link.isOwn(sent)) this.#link.challenges.add(answer.nonce);
    return response;
  }

  async #repair(attempt: Attempt, signal: AbortSignal | undefined, reenrol: boolean): Promise<Retry | undefined> {
    const { response, sent, answer } = attempt;
    // Nothing but a refusal before the handler may be repeated.
    if (response.status !== 401 || !this.#link.isOwn(sent)) return undefined;
    // Refused for the proof key, which a signature mends: the challenge, unless it brought another, is still this request's own.
    if (isForProofKey(sent, answer)) return { nonce: answer.nonce ?? sent.nonce };
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
    // The new token is signed with the instance key, as this one was.
    if (answer.requirement === 'signature') return { nonce: answer.nonce };
    if (answer.requirement !== 'attestation' || !reenrol) return undefined;
    return (await this.#enroller.repair(sent, signal)) ? { nonce: answer.nonce } : undefined;
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
