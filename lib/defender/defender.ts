import type { MintRequest } from '../token/mint.js';
import { discard, refusalOf } from './answer.js';
import { findApi, type Api } from './api.js';
import { DefenderError } from './defender-error.js';
import { resolveOptions, type DefenderOptions } from './defender-options.js';
import { Enroller, type Enrolment } from './enrolment.js';
import { EvidenceMeter } from './evidence.js';
import { Instance } from './instance.js';
import type { StoredSession } from './key-store.js';
import { Link, type Shared } from './link.js';
import { materialise, targetOf, type OutgoingRequest } from './outgoing-request.js';
import { Sender } from './sender.js';

/** A request for which a token is wanted; `nonce` is the challenge to use instead of the newest known one. */
export interface TokenRequest extends MintRequest {
  readonly nonce?: string;
}

/** One server with all that serves it. */
interface Server {
  readonly link: Link;
  readonly enroller: Enroller;
  readonly sender: Sender;
}

/**
 * The client half of TAB: holds the instance key, measures the runtime, and makes a fresh token for every attempt of every
 * request. Make one per app and keep it.
 */
export class Defender {
  readonly #shared: Shared;
  readonly #servers: ReadonlyMap<Api, Server>;
  readonly #closing = new AbortController();

  /** @throws TypeError when an option cannot work; the message says what to write instead */
  constructor(options: DefenderOptions) {
    const resolved = resolveOptions(options);
    const now = () => Math.floor(resolved.clock() / 1000);
    const { probes, evidenceMaxAge: maxAge, probeTimeout: timeout } = resolved;
    const instance = new Instance(resolved.keyStore);
    const facts = () => ({ serverSkews: resolved.apis.flatMap(({ base }) => instance.api(base).skew ?? []) });
    this.#shared = {
      options: resolved,
      instance,
      meter: new EvidenceMeter({ probes, maxAge, timeout, now, facts }),
      closed: this.#closing.signal,
    };
    this.#servers = new Map(resolved.apis.map((api) => [api, this.#connect(api)]));
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
    this.#assertOpen();
    return (await this.#shared.instance.load()).id;
  }

  /**
   * Enrols now, at the server of `url` (default: the first one): to renew an attestation, or to end a suspension.
   * @throws DefenderError `enrolment_refused`, `enrolment_failed`, `attester_failed`, `key_store`
   */
  async enrol(url?: string | URL): Promise<Enrolment> {
    this.#assertOpen();
    const server = url === undefined ? this.#first() : this.#serverOf(new URL(url));
    await this.#shared.instance.load();
    return server.enroller.enrol();
  }

  /**
   * The token for one attempt of a described request, for transports other than `fetch`. Enrols first where necessary.
   * The caller sends exactly what it described, once.
   * @throws DefenderError `foreign_origin` when the target is not under a configured `api`, and as `enrol`
   */
  async token(request: TokenRequest): Promise<string> {
    this.#assertOpen();
    const { link, enroller } = this.#serverOf(new URL(request.url));
    await enroller.ensure(undefined);
    return (await link.mint(request, request.nonce)).token;
  }

  /**
   * As the global `fetch`, with a token. Redirects are not followed, answers are returned as they are, also refusals;
   * what PROTOCOL section 7 lets a client repair is tried once more with a new token. Content is read into memory.
   * @throws DefenderError `foreign_origin` when the target is not under a configured `api`, before anything is sent, and as `enrol`
   */
  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    this.#assertOpen();
    const { enroller, sender } = this.#serverOf(targetOf(input));
    const request = await materialise(input, init);
    await enroller.ensure(request.signal);
    return sender.send(request, { reenrol: true });
  };

  /**
   * Retires the key at every server where it is enrolled, ends its sessions there, and forgets it. A later request makes a
   * new key.
   * @throws DefenderError `retire_refused` when a server did not confirm; the key is then kept
   */
  async retire(): Promise<void> {
    this.#assertOpen();
    await this.#shared.instance.load();
    for (const server of this.#servers.values()) {
      if (server.link.state.enrolledAt !== undefined) await this.#retireAt(server);
    }
    await this.#shared.instance.clear();
    for (const { link } of this.#servers.values()) link.challenges.refused();
  }

  /** Ends waits, probes and enrolments under way; requests already sent are not touched. @throws DefenderError `key_store` */
  async close(): Promise<void> {
    this.#closing.abort(new DefenderError('closed', 'The Defender has been closed'));
    await this.#shared.instance.flush();
  }

  async #retireAt({ link, sender }: Server): Promise<void> {
    const url = new URL(`${link.api.base}${this.#shared.options.prefix}/instances/self`);
    const init: RequestInit = { credentials: 'omit' };
    const request: OutgoingRequest = { url, method: 'DELETE', headers: new Headers(), init };
    const response = await sender.send(request, { reenrol: false });
    await discard(response);
    const { status, tabError } = refusalOf(response);
    // A key that the server does not know, or has revoked, cannot be retired any further.
    if (status === 204 || tabError === 'unknown_instance' || tabError === 'instance_revoked') return;
    throw new DefenderError(
      'retire_refused',
      `The server did not retire the key: status ${status}`,
      refusalOf(response),
    );
  }

  #connect(api: Api): Server {
    const link = new Link(api, this.#shared);
    const enroller = new Enroller(this.#shared, link);
    return { link, enroller, sender: new Sender(this.#shared, link, enroller) };
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

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw new DefenderError('closed', 'The Defender has been closed');
  }
}

/** A Defender with these options. @throws TypeError when an option cannot work */
export function createDefender(options: DefenderOptions): Defender {
  return new Defender(options);
}
