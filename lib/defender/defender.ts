import type { MintRequest } from '../token/mint.js';
import { findApi, type Api } from './api.js';
import { DefenderError } from './defender-error.js';
import { resolveOptions, type DefenderOptions } from './defender-options.js';
import type { Enrolment } from './enrolment.js';
import { EvidenceMeter } from './evidence.js';
import { Instance } from './instance.js';
import type { StoredSession } from './key-store.js';
import type { Shared } from './link.js';
import { materialise, targetOf } from './outgoing-request.js';
import { EvidenceSchedule } from './schedule.js';
import { Server } from './server.js';
import { StatusBoard, type DefenderStatus, type StatusListener } from './status.js';

/** A request for which a token is wanted; `nonce` is the challenge to use instead of the newest known one. */
export interface TokenRequest extends MintRequest {
  readonly nonce?: string;
}

/**
 * The client half of TAB: holds the instance key, measures the runtime, and makes a fresh token for every attempt of every
 * request. Make one per app and keep it.
 */
export class Defender {
  readonly #shared: Shared;
  readonly #servers: ReadonlyMap<Api, Server>;
  readonly #schedule: EvidenceSchedule;
  readonly #closing = new AbortController();

  /** @throws TypeError when an option cannot work; the message says what to write instead */
  constructor(options: DefenderOptions) {
    const resolved = resolveOptions(options);
    const now = () => Math.floor(resolved.clock() / 1000);
    const { apis, probes, evidenceMaxAge: maxAge, probeTimeout: timeout, timers, remeasureOn } = resolved;
    const status = new StatusBoard();
    const isConfigured = (base: string) => apis.some((api) => api.base === base);
    const onLoaded = (bases: readonly string[]) => bases.filter(isConfigured).forEach((base) => status.enrolled(base));
    const instance = new Instance(resolved.keyStore, onLoaded, () => status.retired());
    const facts = () => ({ serverSkews: apis.flatMap(({ base }) => instance.api(base).skew ?? []) });
    const onMeasured = (impaired: boolean) => status.measured(impaired);
    const meter = new EvidenceMeter({ probes, maxAge, timeout, now, facts, onMeasured });
    this.#shared = { options: resolved, instance, meter, status, closed: this.#closing.signal };
    this.#schedule = new EvidenceSchedule({ meter, timers, enabled: resolved.schedule && maxAge > 0, remeasureOn });
    this.#servers = new Map(apis.map((api) => [api, new Server(api, this.#shared)]));
  }

  /** How this Defender stands; the rules are at `DefenderStatus` and `StatusBoard`. */
  get status(): DefenderStatus {
    return this.#shared.status.status;
  }

  /** Calls `listener` after each change of `status`; what it throws is ignored. @returns a function that ends it */
  onStatus(listener: StatusListener): () => void {
    return this.#shared.status.subscribe(listener);
  }

  /** Whether `url` is under a configured `api`; `fetch` sends nowhere else. */
  covers(url: string | URL): boolean {
    try {
      // Where it is, whatever userinfo it has: `fetch` refuses that, and nobody else is to send it without a token.
      const place = new URL(url, URL.canParse(url) ? undefined : new Request('').url);
      return findApi(this.#shared.options.apis, place) !== undefined;
    } catch {
      // No URL, or a relative one where there is nothing to be relative to.
      return false;
    }
  }

  /** The instance id: undefined before `ready()`, the first request or the first enrolment. */
  get instanceId(): string | undefined {
    return this.#shared.instance.id;
  }

  /** The session at the first configured `api`, if one is bound and not over. */
  get session(): StoredSession | undefined {
    return this.#first().link.session;
  }

  /** The session at the server of `url`. @throws DefenderError `foreign_origin` */
  sessionAt(url: string | URL): StoredSession | undefined {
    return this.#serverOf(new URL(url)).link.session;
  }

  /** Forgets the session at the server of `url` (default: the first one) on this side only. */
  async forgetSession(url?: string | URL): Promise<void> {
    await this.ready();
    await (url === undefined ? this.#first() : this.#serverOf(new URL(url))).link.update({ session: undefined });
  }

  /** Loads the key, or makes it. Optional: everything else does it when needed. @throws DefenderError `key_store` */
  async ready(): Promise<string> {
    this.#use();
    return (await this.#shared.instance.load()).id;
  }

  /**
   * Enrols now, at the server of `url` (default: the first one): to renew an attestation, or to end a suspension.
   * @throws DefenderError `enrolment_refused`, `enrolment_failed`, `unexpected_answer`, `attester_failed`, `key_store`
   */
  async enrol(url?: string | URL): Promise<Enrolment> {
    this.#use();
    const server = url === undefined ? this.#first() : this.#serverOf(new URL(url));
    await this.#shared.instance.load();
    return server.enroller.enrol();
  }

  /**
   * The token for one attempt of a described request, for transports other than `fetch`; signed with the instance key, since
   * what a proof key may be refused for cannot be mended here. Enrols first where necessary.
   * The caller sends exactly what it described, once.
   * @throws DefenderError `foreign_origin` when the target is not under a configured `api`, and as `enrol`
   */
  async token(request: TokenRequest): Promise<string> {
    this.#use();
    const { link, enroller } = this.#serverOf(new URL(request.url));
    await enroller.ensure(undefined);
    return (await link.mint(request, request.nonce)).token;
  }

  /**
   * As the global `fetch`, with a token; bound to this Defender, so it can be passed on alone. Content is read into memory,
   * that of the answer is not. Answers are returned as they are, also refusals; what PROTOCOL section 7 lets a client
   * repair is tried once more with a new token.
   *
   * A redirect to the same origin, under the same `api`, is followed with a token of its own, five at most; any other one
   * is the answer. In browsers redirects are opaque, and always the answer. `redirect: 'manual'` and `'error'` as usual.
   *
   * @throws DefenderError `foreign_origin` when the target is not under a configured `api`, and `body_used`, before
   *   anything is sent; `unreachable`; and as `enrol`. The reason of an aborted `signal`, as it is.
   */
  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    this.#use();
    const url = targetOf(input);
    const { enroller, sender } = this.#serverOf(url);
    const request = await materialise(input, init, url);
    await enroller.ensure(request.signal);
    return sender.send(request, { reenrol: true });
  };

  /**
   * Retires the key at every server where it is enrolled, ends its sessions there, and forgets it. A later request makes a
   * new key.
   * @throws DefenderError `retire_refused` or `unreachable` when a server did not confirm; the key is then kept
   */
  async retire(): Promise<void> {
    this.#assertOpen();
    await this.#shared.instance.load();
    for (const server of this.#servers.values()) await server.retire();
    await this.forget();
  }

  /**
   * Forgets the key and everything bound to it on this side only: for a key that a server has suspended or revoked, and so
   * does not retire. A later request makes a new key. Servers keep what they know; where they can be asked, `retire()`.
   * @throws DefenderError `key_store` when the stored key could not be removed: the next request then uses it again
   */
  async forget(): Promise<void> {
    this.#assertOpen();
    const { instance, status } = this.#shared;
    const cleared = instance.clear();
    status.retired();
    for (const { link, proofKeys } of this.#servers.values()) {
      link.challenges.refused();
      proofKeys.forget();
    }
    await cleared;
  }

  /**
   * Ends the schedule, and waits and enrolments under way; requests already sent are not touched. Waits for the writes of
   * the state, 5 s at most.
   * @throws DefenderError `key_store` when it was not saved
   */
  async close(): Promise<void> {
    this.#schedule.stop();
    this.#closing.abort(new DefenderError('closed', 'The Defender has been closed'));
    for (const { proofKeys } of this.#servers.values()) proofKeys.forget();
    await this.#shared.instance.close(this.#shared.options.timers);
  }

  #first(): Server {
    const [first] = this.#servers.values();
    if (!first) throw new TypeError('A Defender has at least one api');
    return first;
  }

  #serverOf(url: URL): Server {
    const api = findApi(this.#shared.options.apis, url);
    const server = api && this.#servers.get(api);
    if (!server) throw new DefenderError('foreign_origin', `${url.origin} is not a configured api: nothing was sent`);
    return server;
  }

  #use(): void {
    this.#assertOpen();
    this.#schedule.touch();
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw new DefenderError('closed', 'The Defender has been closed');
  }
}

/** A Defender with these options. @throws TypeError when an option cannot work */
export function createDefender(options: DefenderOptions): Defender {
  return new Defender(options);
}
