import type { DecisionHook } from './decision.js';
import { isLoopback, parseApis, type Api } from './api.js';
import { noAttestation, type ClientAttester, type DefenderApp } from './client-attester.js';
import type { KeyStore } from './key-store.js';
import { PROBE_NAME, type Probe } from './probe.js';
import type { DefenderTimers, RemeasureOn } from './schedule.js';

/** The `sdk` of the evidence unless configured. */
export const DEFENDER_SDK = 'nestjs-tab/0.1.0';

/** Makes the assertion for one token of a request. A failure ends the request. */
export type AssertionMaker = (
  clientDataHash: Uint8Array,
  request: { readonly method: string; readonly url: URL },
) => string | undefined | Promise<string | undefined>;

/** Options of a Defender. */
export interface DefenderOptions {
  /**
   * The servers, as the server has its `origins` configured: `https://host[:port][/prefix]`. Tokens go nowhere else.
   * Plain `http` is accepted for loopback only, see `allowPlainHttp`.
   */
  readonly api: string | URL | readonly (string | URL)[];
  /** Path of the TAB endpoints under each `api`; default `/tab`. */
  readonly prefix?: string;
  readonly app: DefenderApp;
  /** Where the instance key lives; `memoryKeyStore()` for a new instance at each start. */
  readonly keyStore: KeyStore;
  /** What to look for in the runtime; a threat without a probe is "not checked". May be empty. */
  readonly probes: readonly Probe[];
  /** Makes the platform attestation; default: format `none`, no statement. */
  readonly attester?: ClientAttester;
  /** Sends the requests; default the global `fetch`. It must not follow redirects or repeat requests by itself. */
  readonly fetch?: typeof globalThis.fetch;
  /** Local time in milliseconds since the epoch; default `Date.now`. */
  readonly clock?: () => number;
  /** `sdk` of the evidence, 1–64 printable ASCII characters. */
  readonly sdk?: string;
  /** Seconds after which evidence is measured anew, 0–300; default 60, 0 = for every token. */
  readonly evidenceMaxAge?: number;
  /**
   * Whether to measure ahead of need, at half of `evidenceMaxAge`, while requests are being made (none for five times
   * `evidenceMaxAge`: it rests), and on the events of `remeasureOn`; default true. False: when a token needs it only.
   */
  readonly schedule?: boolean;
  /**
   * Registers a function to be called when the runtime should be looked at again, such as when a page becomes visible;
   * returns a function that ends it, called by `close()`. Called once, at construction.
   */
  readonly remeasureOn?: RemeasureOn;
  /** Timers of the schedule, for tests; default the platform's. */
  readonly timers?: DefenderTimers;
  /** Told of every answer to a guarded request, an enrolment or a retirement; see `DefenderDecision`. */
  readonly onDecision?: DecisionHook;
  /**
   * Name of the cookie that holds the credential, as the server has it configured: `ath` binds its raw value where a
   * request has it in its `Cookie` header and has no `Authorization`. Not for browsers, where no script sees `Cookie`.
   */
  readonly credentialCookie?: string;
  /**
   * Has the platform vouch for a token (App Attest): the assertion over `clientDataHash`, SHA-256 of the token, in standard
   * base64, sent as `TAB-Assertion`. Undefined for requests that need none. Default: none.
   */
  readonly assertion?: AssertionMaker;
  /** Milliseconds that one probe may take before it counts as not checked; default 5,000. */
  readonly probeTimeout?: number;
  /** Milliseconds that one enrolment may take, attestation included; default 60,000. */
  readonly enrolTimeout?: number;
  /** Header names whose values are bound (`hd`) whenever a request has them; default none. */
  readonly boundHeaders?: readonly string[];
  /**
   * Upper bound, in milliseconds, of the random wait before an enrolment that the server asked for, so that many clients do
   * not come at once; default 30,000, 0 = at once.
   */
  readonly reenrolWait?: number;
  /** Number in [0, 1) for that wait; default `Math.random`. Identifiers always come from the platform's secure source. */
  readonly random?: () => number;
  /**
   * Whether to trade signatures for short-lived proof keys, at servers that give them. `'session'` (default): for requests of a
   * bound session, so that what may start one is signed; true: for all; false: never.
   */
  readonly proofKeys?: boolean | 'session';
  /** Accept plain `http` beyond loopback: sessions and credentials can then be read on the way. Default false. */
  readonly allowPlainHttp?: boolean;
}

/** Options with every default in place. */
export interface ResolvedDefenderOptions {
  readonly apis: readonly Api[];
  readonly prefix: string;
  readonly app: DefenderApp;
  readonly keyStore: KeyStore;
  readonly probes: readonly Probe[];
  readonly attester: ClientAttester;
  readonly fetch: typeof globalThis.fetch;
  readonly clock: () => number;
  readonly sdk: string;
  readonly evidenceMaxAge: number;
  readonly schedule: boolean;
  readonly remeasureOn?: RemeasureOn;
  readonly timers: DefenderTimers;
  readonly onDecision?: DecisionHook;
  readonly credentialCookie?: string;
  readonly assertion?: AssertionMaker;
  readonly probeTimeout: number;
  readonly enrolTimeout: number;
  readonly boundHeaders: readonly string[];
  readonly reenrolWait: number;
  readonly random: () => number;
  readonly proofKeys: boolean | 'session';
}

const APP_ID = /^[A-Za-z0-9_.:-]{1,128}$/;
// https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*))*)?(\+[\dA-Za-z-]+(\.[\dA-Za-z-]+)*)?$/;
const PREFIX = /^(\/[A-Za-z0-9_.~-]+)+$/;
const FIELD_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const PRINTABLE = /^[\x20-\x7e]{1,64}$/;
const PLATFORM_TIMERS: DefenderTimers = {
  setTimeout: (run, ms) => globalThis.setTimeout(run, ms),
  clearTimeout: (timer) => globalThis.clearTimeout(timer as number),
};
const METHODS_OF_KEY_STORE = ['loadKey', 'loadState', 'saveState', 'clear'] as const;

/** Options checked and completed. @throws TypeError that says what to write instead */
export function resolveOptions(options: DefenderOptions): ResolvedDefenderOptions {
  const apis = parseApis(options.api);
  const insecure = apis.find((api) => !api.origin.startsWith('https:') && !isLoopback(new URL(api.origin)));
  check(!insecure || options.allowPlainHttp === true, `api: write https:// instead of ${insecure?.origin}`);
  const prefix = options.prefix ?? '/tab';
  check(PREFIX.test(prefix), "prefix: write a path such as '/tab'");
  checkApp(options.app);
  checkParts(options);
  const sdk = options.sdk ?? DEFENDER_SDK;
  check(PRINTABLE.test(sdk), 'sdk: write 1 to 64 ASCII characters');
  const boundHeaders = (options.boundHeaders ?? []).map((name) => String(name).toLowerCase());
  check(boundHeaders.every(isBindable), 'boundHeaders: write names of other fields than tab-token and host');
  checkHooks(options);
  return {
    ...options,
    apis,
    prefix,
    app: { id: options.app.id, ver: options.app.ver, platform: options.app.platform },
    probes: [...options.probes],
    attester: options.attester ?? noAttestation,
    // Looked up at each call, so that a later replacement of the global is used; called without a receiver.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    clock: options.clock ?? Date.now,
    sdk,
    evidenceMaxAge: bounded('evidenceMaxAge (seconds)', options.evidenceMaxAge ?? 60, 0, 300),
    schedule: options.schedule ?? true,
    timers: options.timers ?? PLATFORM_TIMERS,
    probeTimeout: bounded('probeTimeout (milliseconds)', options.probeTimeout ?? 5_000, 1, 60_000),
    enrolTimeout: bounded('enrolTimeout (milliseconds)', options.enrolTimeout ?? 60_000, 1, 600_000),
    boundHeaders,
    reenrolWait: bounded('reenrolWait (milliseconds)', options.reenrolWait ?? 30_000, 0, 30_000),
    random: options.random ?? Math.random,
    proofKeys: options.proofKeys ?? 'session',
  };
}

function checkApp(app: DefenderApp | undefined): void {
  check(typeof app === 'object' && app !== null, 'app: write { id, ver, platform }');
  check(APP_ID.test(String(app.id)), 'app.id: write 1 to 128 of A-Z a-z 0-9 . _ : -');
  check(SEMVER.test(String(app.ver)), "app.ver: write a SemVer such as '1.4.0'");
  check(typeof app.platform === 'string' && app.platform !== '', 'app.platform: write its name');
}

function checkParts(options: DefenderOptions): void {
  const store: Partial<KeyStore> | undefined = options.keyStore;
  const complete = METHODS_OF_KEY_STORE.every((method) => typeof store?.[method] === 'function');
  check(complete, 'keyStore: pass one, such as memoryKeyStore()');
  check(Array.isArray(options.probes), 'probes: pass an array');
  for (const probe of options.probes) {
    const named = PROBE_NAME.test(String(probe?.name)) && typeof probe?.run === 'function';
    check(named, 'probes: write { name, run() }, name of a-z 0-9 -');
  }
  const attester: Partial<ClientAttester> = options.attester ?? noAttestation;
  const usable = typeof attester.format === 'string' && typeof attester.attest === 'function';
  check(usable, 'attester: pass { format, attest() }');
}

function checkHooks({ remeasureOn, onDecision, credentialCookie, assertion, proofKeys }: DefenderOptions): void {
  for (const [name, hook] of Object.entries({ remeasureOn, onDecision, assertion }))
    check(hook === undefined || typeof hook === 'function', `${name}: pass a function`);
  const cookie = credentialCookie === undefined || FIELD_NAME.test(String(credentialCookie));
  check(cookie, 'credentialCookie: write a name');
  check([undefined, true, false, 'session'].includes(proofKeys), "proofKeys: write true, false or 'session'");
}

function isBindable(name: string): boolean {
  return FIELD_NAME.test(name) && name !== 'tab-token' && name !== 'host';
}

function bounded(name: string, value: number, min: number, max: number): number {
  check(Number.isFinite(value) && value >= min && value <= max, `${name}: write a number from ${min} to ${max}`);
  return value;
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new TypeError(`Defender option ${message}`);
}
