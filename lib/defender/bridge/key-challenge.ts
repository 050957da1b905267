import { enrolmentBinding } from '../../token/mint.js';
import { discard, readBounded, refusalOf } from '../answer.js';
import { parseApis } from '../api.js';
import { DefenderError } from '../defender-error.js';
import type { DefenderOptions } from '../defender-options.js';
import { limited } from '../waiting.js';
import { BRIDGE_TIMEOUT } from './bridge-call.js';

/** What a challenge for a key needs to know of the Defender. */
export type KeyChallengeOptions = Pick<DefenderOptions, 'api' | 'app' | 'prefix' | 'fetch'> & {
  /** Milliseconds that the server may take; default 30,000. */
  readonly timeout?: number;
};

/** The challenge that was asked for ahead, with what the key is made over. */
interface Pending {
  readonly challenge: string;
  readonly binding: Uint8Array;
}

/** Octets of an answer that are read. */
const MAX_ANSWER = 65_536;
const CHALLENGE = /^[A-Za-z0-9_.-]{22,256}$/;

/**
 * The challenge that an Android key is made over. Android attests a key once, when it makes it, so the enrolment challenge is
 * asked for before the key is made, and the enrolment that follows is given that same challenge by `fetch`. The key's
 * thumbprint cannot be in a value that is older than the key: its line of the binding is empty, and the certificate names the
 * key itself.
 *
 * One key has one challenge, so it enrols at the first configured `api` only.
 */
export class KeyChallenge {
  readonly #options: KeyChallengeOptions;
  readonly #challengeUrl: string;
  readonly #enrolUrl: string;
  readonly #origin: string;
  #pending?: Pending;
  #renew: () => Promise<void> = async () => undefined;
  #renewing?: Promise<void>;

  /** @throws TypeError when `api` cannot work */
  constructor(options: KeyChallengeOptions) {
    const [api] = parseApis(options.api);
    if (!api) throw new TypeError('A Defender has at least one api');
    const base = `${api.base}${options.prefix ?? '/tab'}`;
    this.#options = options;
    this.#origin = api.origin;
    this.#challengeUrl = `${base}/challenge`;
    this.#enrolUrl = `${base}/instances`;
  }

  /** Asks for a challenge; returns the 32 octets to make the key over. @throws DefenderError */
  async make(): Promise<Uint8Array> {
    const { app, timeout = BRIDGE_TIMEOUT } = this.#options;
    const challenge = await limited(timeout, new AbortController().signal, (signal) => this.#ask(signal)).catch(failed);
    const facts = { origin: this.#origin, challenge, appId: app.id, thumbprint: '' };
    this.#pending = { challenge, binding: await enrolmentBinding(facts) };
    return this.#pending.binding;
  }

  /** What the key was made over, if that was `challenge`. */
  bindingOf(challenge: string): Uint8Array | undefined {
    return this.#pending?.challenge === challenge ? this.#pending.binding : undefined;
  }

  /** Forgets the challenge: the key has been enrolled, or is gone. */
  forget(): void {
    this.#pending = undefined;
  }

  /** Has `renew` called when a challenge is asked for and the key's is spent: it makes a key anew where it may. */
  renewBy(renew: () => Promise<void>): void {
    this.#renew = renew;
  }

  /**
   * As `fetch`; a question for an enrolment challenge gets the one that the key was made over while that is good, and then the
   * one of the key made anew. For an enrolled key the server itself is asked.
   */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const asked = String(input instanceof Request ? input.url : input);
    if (asked === this.#challengeUrl && !this.#pending) await this.#renewOnce();
    if (asked === this.#challengeUrl && this.#pending) {
      const { challenge } = this.#pending;
      const headers = { 'Content-Type': 'application/json' };
      return new Response(JSON.stringify({ challenge, expiresIn: 0 }), { status: 201, headers });
    }
    const response = await this.#send(input, init);
    // A spent or expired challenge stays so; a token refused for its time leaves it as it was.
    if (asked === this.#enrolUrl && response.headers.get('tab-error') === 'use_tab_nonce') this.forget();
    return response;
  };

  /** Questions at the same time end with one key. */
  #renewOnce(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #ask(signal: AbortSignal): Promise<string> {
    const fixed: RequestInit = { method: 'POST', redirect: 'manual', credentials: 'omit', cache: 'no-store', signal };
    const response = await this.#send(this.#challengeUrl, fixed);
    if (response.status !== 201) {
      discard(response);
      const facts = refusalOf(response);
      throw new DefenderError('enrolment_refused', `The server gave no challenge: status ${response.status}`, facts);
    }
    const challenge = readChallenge(await readBounded(response, MAX_ANSWER));
    if (challenge !== undefined) return challenge;
    const { status } = response;
    throw new DefenderError('unexpected_answer', `No TAB server answered: status ${status}`, { status });
  }

  #send(...args: Parameters<typeof globalThis.fetch>): Promise<Response> {
    return (this.#options.fetch ?? globalThis.fetch)(...args);
  }
}

/** The parser's own message quotes the text, which may hold a challenge; so it goes no further. */
function readChallenge(text: string | undefined): string | undefined {
  try {
    const { challenge } = Object(JSON.parse(text ?? '')) as { challenge?: unknown };
    return typeof challenge === 'string' && CHALLENGE.test(challenge) ? challenge : undefined;
  } catch {
    return undefined;
  }
}

function failed(cause: unknown): never {
  if (cause instanceof DefenderError) throw cause;
  throw new DefenderError('enrolment_failed', 'The server gave no challenge for the key', { cause });
}
