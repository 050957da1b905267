import { enrolmentBinding } from '../token/mint.js';
import { discard, readAnswer, readBounded, refusalOf } from './answer.js';
import { report } from './decision.js';
import { DefenderError } from './defender-error.js';
import type { Link, MintedToken, Shared } from './link.js';
import { abortable, limited, pause } from './waiting.js';

/** What the server says about an enrolment (PROTOCOL section 5). Times are seconds since the epoch. */
export interface Enrolment {
  readonly instanceId: string;
  /** `none`, `software`, `tee` or `strongbox`. */
  readonly assurance: string;
  readonly attestation: { readonly format: string; readonly at: number; readonly expiresAt: number };
}

/** The server may make a client enrol again once in this many seconds. */
const REENROL_INTERVAL = 3600;
/** Octets of an answer that are read. */
const MAX_ANSWER = 65_536;

/** Enrols the instance key at one server; concurrent callers share one enrolment. */
export class Enroller {
  readonly #shared: Shared;
  readonly #link: Link;
  #running?: Promise<Enrolment>;
  /** The instance that `#running` enrols. */
  #runningFor?: string;
  #repairing?: Promise<void>;

  constructor(shared: Shared, link: Link) {
    this.#shared = shared;
    this.#link = link;
  }

  /** Enrols unless the key is known to be enrolled. */
  async ensure(signal: AbortSignal | undefined): Promise<void> {
    await abortable(this.#shared.instance.load(), signal);
    if (this.#link.state.enrolledAt === undefined) await this.enrol(signal);
  }

  /** Enrols now. @throws DefenderError */
  enrol(signal?: AbortSignal): Promise<Enrolment> {
    const { options, closed, instance, status } = this.#shared;
    const { id } = instance;
    if (this.#running && this.#runningFor === id) return abortable(this.#running, signal);
    const running = limited(options.enrolTimeout, closed, (limit) => this.#enrol(limit))
      .catch((cause: unknown) => {
        const error = coded(cause);
        // What became of a key that was given up says nothing of the one held now.
        if (instance.id === id) status.failed(this.#link.api.base, error);
        throw error;
      })
      .finally(() => {
        if (this.#running === running) this.#running = undefined;
      });
    this.#running = running;
    this.#runningFor = id;
    return abortable(running, signal);
  }

  /**
   * Enrols because the server asked for it in answer to `sent`: after a random wait, and once per hour.
   * @returns whether a new token may now be accepted
   */
  async repair(sent: MintedToken, signal: AbortSignal | undefined): Promise<boolean> {
    if (!this.#link.isOwn(sent)) return false;
    // Another request has repaired it since this token was made.
    if (this.#link.enrolments > sent.enrolments) return true;
    if (!this.#repairing) {
      const { reenrolledAt } = this.#link.state;
      const since = reenrolledAt === undefined ? Number.POSITIVE_INFINITY : this.#link.localNow() - reenrolledAt;
      if (since >= 0 && since < REENROL_INTERVAL) return false;
      this.#repairing = this.#repair().finally(() => (this.#repairing = undefined));
    }
    await abortable(this.#repairing, signal);
    return true;
  }

  async #repair(): Promise<void> {
    const { options, closed } = this.#shared;
    void this.#link.update({ reenrolledAt: this.#link.localNow() });
    await pause(options.random() * options.reenrolWait, closed);
    await this.enrol();
  }

  async #enrol(signal: AbortSignal): Promise<Enrolment> {
    const first = await this.#attempt(1, signal);
    const answer = this.#link.absorb(first.response, first.sent);
    const repairable = answer.error === 'use_tab_nonce' || (answer.error === 'stale_token' && answer.learnedSkew);
    if (first.response.status !== 401 || !repairable) return this.#accept(first.response);
    discard(first.response);
    const second = await this.#attempt(2, signal);
    this.#link.absorb(second.response, second.sent);
    return this.#accept(second.response);
  }

  async #attempt(attempt: number, signal: AbortSignal): Promise<{ response: Response; sent: MintedToken }> {
    const { options } = this.#shared;
    const challenge = await this.#challenge(signal);
    const attestation = await this.#attest(challenge);
    const content = new TextEncoder().encode(JSON.stringify({ app: options.app, attestation }));
    const url = `${this.#link.api.base}${options.prefix}/instances`;
    const contentType = 'application/json';
    const sent = await this.#link.mintEnrolment({ method: 'POST', url, content, contentType }, challenge);
    const headers = { 'Content-Type': contentType, 'TAB-Token': sent.token };
    const started = performance.now();
    const response = await this.#post(url, signal, { headers, body: content });
    const durationMs = performance.now() - started;
    const outcome = isAccepted(response) && mayBeJson(response) ? 'accepted' : 'refused';
    const code = readAnswer(response).error;
    report(options.onDecision, response, { url: new URL(url), method: 'POST', attempt, outcome, code, durationMs });
    return { sent, response };
  }

  async #challenge(signal: AbortSignal): Promise<string> {
    const { options } = this.#shared;
    const response = await this.#post(`${this.#link.api.base}${options.prefix}/challenge`, signal, {});
    if (response.status !== 201) return refuse(response);
    const { challenge } = await readJson(response);
    if (typeof challenge === 'string' && /^[A-Za-z0-9_.-]{22,256}$/.test(challenge)) return challenge;
    throw unexpected(response, 'no usable challenge');
  }

  async #attest(challenge: string): Promise<{ format: string; statement: unknown }> {
    const { options, instance } = this.#shared;
    const { attester, app } = options;
    const { key, id } = await instance.load();
    const facts = { origin: this.#link.api.origin, challenge, appId: app.id, thumbprint: id };
    const binding = await enrolmentBinding(facts);
    try {
      const input = { binding, challenge, thumbprint: id, publicKey: key.publicKey, app };
      return { format: attester.format, statement: await attester.attest(input) };
    } catch (cause) {
      throw new DefenderError('attester_failed', `The attestation '${attester.format}' could not be made`, { cause });
    }
  }

  async #accept(response: Response): Promise<Enrolment> {
    if (!isAccepted(response)) return refuse(response);
    const enrolment = await readJson(response);
    // An answer for another key would make this one look enrolled.
    if (enrolment.instanceId !== this.#shared.instance.id) {
      throw new DefenderError('enrolment_failed', 'The server enrolled another key');
    }
    const { nonce } = readAnswer(response);
    if (nonce !== undefined) this.#link.challenges.add(nonce);
    this.#link.enrolments += 1;
    void this.#link.update({ enrolledAt: this.#link.localNow() });
    this.#shared.status.enrolled(this.#link.api.base);
    return enrolment as unknown as Enrolment;
  }

  /** Cookies stay out: a credential that is sent would have to be bound. */
  #post(url: string, signal: AbortSignal, init: RequestInit): Promise<Response> {
    const fixed: RequestInit = { method: 'POST', redirect: 'manual', credentials: 'omit', cache: 'no-store', signal };
    return this.#shared.options.fetch(url, { ...init, ...fixed });
  }
}

function coded(cause: unknown): DefenderError {
  if (cause instanceof DefenderError) return cause;
  return new DefenderError('enrolment_failed', 'The enrolment got no usable answer', { cause });
}

function isAccepted({ status }: Response): boolean {
  return status === 200 || status === 201;
}

/** The JSON object in an answer; a captive portal or a login page has none. */
async function readJson(response: Response): Promise<Record<string, unknown>> {
  if (!mayBeJson(response)) {
    discard(response);
    throw unexpected(response, 'another media type');
  }
  const text = await readBounded(response, MAX_ANSWER);
  try {
    const value: unknown = JSON.parse(text ?? '');
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // The parser's own message quotes the text, which may hold a challenge.
  }
  throw unexpected(response, 'no JSON object');
}

/** Plain text, the type that a string has for many servers, is looked into. */
function mayBeJson({ headers }: Response): boolean {
  const type = headers.get('content-type');
  return type === null || /^(?:application\/(?:[a-z0-9!#$&^_.+-]+\+)?json|text\/plain)\s*(?:;|$)/i.test(type);
}

/** A refusal by the server, or the answer of something else in its place: a redirect, or a page for people. */
function refuse(response: Response): never {
  discard(response);
  const facts = refusalOf(response);
  const isRefusal = facts.tabError !== undefined || (response.status >= 400 && mayBeJson(response));
  if (!isRefusal) throw unexpected(response, 'neither an enrolment nor a refusal');
  const reason = facts.tabError && /^[a-z_]{1,40}$/.test(facts.tabError) ? facts.tabError : `status ${response.status}`;
  throw new DefenderError('enrolment_refused', `The server refused the enrolment: ${reason}`, facts);
}

function unexpected(response: Response, what: string): DefenderError {
  const { status } = response;
  return new DefenderError('unexpected_answer', `No TAB server answered: status ${status}, ${what}`, { status });
}
