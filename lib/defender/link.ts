import { makeClaims, mintEnrolToken, mintMacToken, mintToken, type MintRequest, type ProofKey } from '../token/mint.js';
import { readAnswer, type TabAnswer } from './answer.js';
import { isTrustedTransport, type Api } from './api.js';
import { Challenges } from './challenges.js';
import { DefenderError } from './defender-error.js';
import type { ResolvedDefenderOptions } from './defender-options.js';
import type { EvidenceMeter, Measurement } from './evidence.js';
import type { Instance } from './instance.js';
import type { ApiState, StoredSession } from './key-store.js';
import type { StatusBoard } from './status.js';

/** What all parts of one Defender share. */
export interface Shared {
  readonly options: ResolvedDefenderOptions;
  readonly instance: Instance;
  readonly meter: EvidenceMeter;
  readonly status: StatusBoard;
  /** Fires when the Defender is closed. */
  readonly closed: AbortSignal;
}

/** A token, and what was known when it was made; an answer is judged against that. */
export interface MintedToken {
  readonly token: string;
  readonly route: string;
  readonly nonce?: string;
  readonly sid?: string;
  /** Server minus local clock, seconds, as assumed in `iat`. */
  readonly skew: number;
  /** The instance that it is of. */
  readonly id: string;
  /** The `kid` of the proof key that it was made with; undefined when the instance key signed. */
  readonly proofKid?: string;
  /** How often the instance had enrolled at this server. */
  readonly enrolments: number;
}

/** What is known of one server, and the tokens made for it. */
export class Link {
  readonly api: Api;
  readonly challenges = new Challenges();
  /** Enrolments completed since the start. */
  enrolments = 0;
  readonly #shared: Shared;

  constructor(api: Api, shared: Shared) {
    this.api = api;
    this.#shared = shared;
  }

  get state(): ApiState {
    return this.#shared.instance.api(this.api.base);
  }

  /** The session bound to this instance, unless it is over by the server's clock. */
  get session(): StoredSession | undefined {
    const { session } = this.state;
    return session && this.now() < session.expires ? session : undefined;
  }

  /** The server's time as far as known, seconds. */
  now(): number {
    return this.localNow() + (this.state.skew ?? 0);
  }

  localNow(): number {
    return Math.floor(this.#shared.options.clock() / 1000);
  }

  update(patch: Partial<ApiState>): Promise<void> {
    return this.#shared.instance.update(this.api.base, patch);
  }

  /** A request token. `nonce` overrides the challenge that would be taken; `proofKey` takes the place of the instance key. */
  async mint(request: MintRequest, nonce?: string, proofKey?: ProofKey): Promise<MintedToken> {
    const evidence = await this.#shared.meter.current();
    const route = routeOf(request);
    return this.#mint('request', request, evidence, route, nonce ?? this.challenges.take(route), proofKey);
  }

  /** An enrolment token over `challenge`, with evidence measured for it. */
  async mintEnrolment(request: MintRequest, challenge: string): Promise<MintedToken> {
    const evidence = await this.#shared.meter.fresh();
    return this.#mint('enrolment', request, evidence, routeOf(request), challenge);
  }

  /** Whether `sent` is of the key that is held now: answers to others are about an instance that has been given up. */
  isOwn(sent: MintedToken): boolean {
    return sent.id === this.#shared.instance.id;
  }

  /** Keeps what the answer to `sent` says about time, session, and how young evidence must be, and returns all that it says. */
  absorb(response: Response, sent: MintedToken): TabAnswer & { learnedSkew: boolean } {
    const answer = readAnswer(response);
    if (!this.isOwn(sent)) return { ...answer, learnedSkew: false };
    const { meter } = this.#shared;
    const isTrusted = isTrustedTransport(this.api);
    const patch: { skew?: number; session?: StoredSession } = {};
    const stale = answer.error === 'stale_token' || answer.monitor === 'stale_token';
    const learnedSkew = stale && answer.skew !== undefined && isTrusted;
    // Relative to what that token assumed: answers to several stale tokens must not add up.
    if (learnedSkew) patch.skew = sent.skew + (answer.skew ?? 0);
    if (answer.session) patch.session = answer.session;
    // A late end of an older session does not end the one that came after it.
    if (answer.session === null && (!sent.sid || sent.sid === this.state.session?.id)) patch.session = undefined;
    // With a requirement it is about that: the age of the attestation. Who can write answers could have probes run all the time.
    const isAsked = answer.error !== undefined && answer.requirement === undefined && isTrusted;
    if (isAsked && answer.maxAge !== undefined) meter.lower(answer.maxAge);
    // What probes said about the clock, they said without knowing this.
    if (learnedSkew && patch.skew !== this.state.skew) meter.invalidate();
    // The answer does not wait for the write.
    if ('skew' in patch || 'session' in patch) void this.update(patch);
    return { ...answer, learnedSkew };
  }

  async #mint(
    kind: 'request' | 'enrolment',
    request: MintRequest,
    evidence: Measurement,
    route: string,
    nonce: string | undefined,
    proofKey?: ProofKey,
  ): Promise<MintedToken> {
    const { options, instance } = this.#shared;
    const { key, id } = await instance.load();
    const skew = this.state.skew ?? 0;
    const iat = this.localNow() + skew;
    const sid = kind === 'request' ? this.session?.id : undefined;
    const rt = { ...evidence, at: Math.min(evidence.at + skew, iat), sdk: options.sdk };
    const claims = await makeClaims(request, { iat, nonce, sid, app: options.app, rt });
    // A proof key of an instance that has been given up meanwhile is of no use.
    const own = proofKey && proofKey.kid.startsWith(`${id}~`) ? proofKey : undefined;
    const minting = own ? mintMacToken(own, claims) : (kind === 'request' ? mintToken : mintEnrolToken)(key, claims);
    const token = await minting.catch(tooLarge);
    return { token, route, nonce, sid, skew, id, proofKid: own?.kid, enrolments: this.enrolments };
  }
}

/** What challenges and proof keys are remembered by. */
export function routeOf(request: MintRequest): string {
  return `${request.method} ${new URL(request.url).pathname}`;
}

function tooLarge(cause: unknown): never {
  if (cause instanceof RangeError) throw new DefenderError('token_too_large', cause.message);
  throw cause;
}
