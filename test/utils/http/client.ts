import { randomBytes } from 'node:crypto';
import { compactJws, createKey, digest, type Alg, type DeviceKey } from './keys.js';
import { exchange, type Answer, type WireRequest } from './wire.js';

/*
 * A client of the TAB protocol written from its description alone: it shares no code with the library. Everything it
 * sends is valid by default; a test overrides the one member that it is about.
 */

type Members = Readonly<Record<string, unknown>>;
type Field = readonly [name: string, value: string];

/** One guarded request. What is left out is valid. */
export interface Call {
  readonly method?: string;
  readonly target?: string;
  readonly body?: string | Buffer;
  /** Content-Type; default `application/json` when there is a body, null for none. */
  readonly type?: string | null;
  /** Sent as `Authorization: Bearer …`. */
  readonly credential?: string;
  readonly sid?: string;
  readonly headers?: readonly Field[];
  readonly framing?: WireRequest['framing'];
  /** Laid over the claims; undefined removes one. */
  readonly claims?: Members;
  /** Laid over the JWS header; undefined removes a member. */
  readonly header?: Members;
  /** Signs with another key. */
  readonly key?: DeviceKey;
  /** The `TAB-Token` headers to send instead of the one made. */
  readonly tokens?: (token: string) => readonly string[];
  /** What goes onto the wire instead of what was signed. */
  readonly wire?: Partial<WireRequest>;
  /** `Host`; null sends none. */
  readonly host?: string | null;
}

/** Who the client is. */
export interface DeviceOptions {
  readonly port: number;
  readonly origin: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly app?: { readonly id: string; readonly ver: string; readonly platform: string };
  readonly alg?: Alg;
  readonly key?: DeviceKey;
  readonly prefix?: string;
  /** How requests travel; default HTTP/1.1, each over a connection of its own. */
  readonly transport?: (port: number, request: WireRequest) => Promise<Answer>;
}

/** An enrolment. What is left out is valid, unattested. */
export interface EnrolCall extends Omit<Call, 'method' | 'sid' | 'body'> {
  readonly challenge?: string;
  readonly format?: string;
  readonly statement?: unknown;
  /** Laid over the body. */
  readonly body?: Members;
}

/** A sent request with what was put into it. */
export interface Prepared {
  readonly token: string;
  readonly wire: WireRequest;
}

export function randomId(): string {
  return randomBytes(16).toString('base64url');
}

/** An app instance: a key, the newest challenge, and the session it was given. */
export class Device {
  readonly key: DeviceKey;
  readonly app: { readonly id: string; readonly ver: string; readonly platform: string };
  /** The newest request challenge. */
  nonce: string | undefined;
  readonly #options: DeviceOptions;

  constructor(options: DeviceOptions) {
    this.#options = options;
    this.key = options.key ?? createKey(options.alg);
    this.app = options.app ?? { id: 'com.example.bank', ver: '2.1.0', platform: 'android' };
  }

  /** The instance id. */
  get id(): string {
    return this.key.thumbprint;
  }

  /** Seconds since the epoch. */
  get now(): number {
    return Math.floor(this.#options.clock() / 1000);
  }

  /** A challenge for enrolment. */
  async challenge(): Promise<string> {
    const wire = { method: 'POST', target: `${this.#prefix}/challenge`, headers: [this.#host()] };
    const answer = await this.#exchange(wire);
    if (answer.status !== 201) throw new Error(`no challenge: ${answer.status} ${answer.body.toString()}`);
    return answer.json()['challenge'] as string;
  }

  /** Enrols this key. */
  async enrol(call: EnrolCall = {}): Promise<Answer> {
    const { challenge = await this.challenge(), format = 'none', statement, body: overrides, ...rest } = call;
    const body = { app: this.app, attestation: { format, statement }, ...overrides };
    const { wire } = this.prepare({
      ...rest,
      method: 'POST',
      target: call.target ?? `${this.#prefix}/instances`,
      body: JSON.stringify(body),
      header: { typ: 'tab-enroll+jwt', kid: undefined, jwk: this.key.jwk, ...call.header },
      claims: { nonce: challenge, ...call.claims },
    });
    return this.#receive(wire);
  }

  /** Enrols and fails the test where that is refused. */
  async enrolled(call: EnrolCall = {}): Promise<this> {
    const answer = await this.enrol(call);
    if (answer.status > 201) throw new Error(`not enrolled: ${answer.status} ${answer.body.toString()}`);
    return this;
  }

  /** `DELETE {prefix}/instances/self`. */
  retire(call: Call = {}): Promise<Answer> {
    return this.send({ method: 'DELETE', target: `${this.#prefix}/instances/self`, ...call });
  }

  /** Makes the token for a call and sends both. */
  send(call: Call = {}): Promise<Answer> {
    return this.#receive(this.prepare(call).wire);
  }

  /** Makes the token for a call. */
  prepare(call: Call = {}): Prepared {
    const { method = 'GET', target = '/open', credential, framing } = call;
    const body = call.body === undefined ? undefined : Buffer.from(call.body as string);
    const type = call.type === undefined && body !== undefined ? 'application/json' : call.type;
    const header = { typ: 'tab+jwt', alg: this.key.alg, kid: this.id, ...call.header };
    const claims = { ...this.#claims(method, target, body, type, call), ...call.claims };
    const token = compactJws(call.key ?? this.key, header, claims);
    const headers: Field[] = [
      ...(call.host === null ? [] : [this.#host(call.host)]),
      ...(type ? [['Content-Type', type] as const] : []),
      ...(credential === undefined ? [] : [['Authorization', `Bearer ${credential}`] as const]),
      ...(call.tokens?.(token) ?? [token]).map((each) => ['TAB-Token', each] as const),
      ...(call.headers ?? []),
    ];
    return { token, wire: { method, target, headers, body, framing, ...call.wire } };
  }

  /** Sends something prepared before, again if need be. */
  replay({ wire }: Prepared): Promise<Answer> {
    return this.#receive(wire);
  }

  #exchange(wire: WireRequest): Promise<Answer> {
    return (this.#options.transport ?? exchange)(this.#options.port, wire);
  }

  get #prefix(): string {
    return this.#options.prefix ?? '/tab';
  }

  #host(value = this.#options.origin.replace(/^https?:\/\//, '').split('/')[0] as string): Field {
    return ['Host', value];
  }

  #claims(
    method: string,
    target: string,
    body: Buffer | undefined,
    type: string | null | undefined,
    call: Call,
  ): Members {
    const mark = target.indexOf('?');
    const path = mark === -1 ? target : target.slice(0, mark);
    const query = mark === -1 ? '' : target.slice(mark + 1);
    const content = body !== undefined && body.length > 0 ? body : undefined;
    return {
      jti: randomId(),
      iat: this.now,
      nonce: this.nonce,
      htm: method,
      htu: this.#options.origin + path,
      qsh: query === '' ? undefined : digest(query),
      bh: content && digest(content),
      ct: content && type ? (type.split(';')[0] as string).trim().toLowerCase() : undefined,
      ath: call.credential === undefined ? undefined : digest(call.credential),
      sid: call.sid,
      app: { id: this.app.id, ver: this.app.ver },
      rt: { at: this.now, found: [], clear: ['root', 'hooking'], sdk: 'independent/1.0.0' },
    };
  }

  async #receive(wire: WireRequest): Promise<Answer> {
    const answer = await this.#exchange(wire);
    this.nonce = answer.header('tab-nonce') ?? this.nonce;
    return answer;
  }
}
