import { randomBytes } from 'node:crypto';
import { attesterRegistry } from './attestation/registry.js';
import { TabConfigError } from './errors/tab-error.js';
import type { EnrolmentLimits } from './enrolment/enrolment.service.js';
import { ClaimQuota } from './nonces/claim-quota.js';
import type { TabAppOptions, TabOptions } from './tab-options.js';
import { TAB_ALGORITHMS } from './token/algorithms.js';
import { isAppId } from './token/claims.js';
import type { TabAlgorithm } from './token/claims.types.js';
import { Origins } from './token/origins.js';
import { readSecret, type Secret } from './token/secrets.js';
import type { TimeWindow } from './token/time-window.js';
import { isSemVer } from './token/version.js';
import { isThreatName } from './trust/threats.js';
import type { CredentialSettings, RegisteredApp } from './verifier/settings.js';

const APP_MEMBERS = [
  'id',
  'platform',
  'minVersion',
  'probes',
  'suspendOn',
  'attestation',
  'allowUnattested',
  'attestationMaxAge',
  'allowDowngrade',
] satisfies (keyof TabAppOptions)[];

const MONTH = 30 * 24 * 3600;

function fail(message: string): never {
  throw new TabConfigError(message);
}

/** Ensures that every member is one that is looked at: a misspelt option would otherwise leave its default in force. */
export function checkMembers(value: object, known: readonly string[], where: string): void {
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) fail(`${where}: unknown member '${name}'; write one of ${known.join(', ')}`);
  }
}

/** The clock. @throws TabConfigError when it does not give milliseconds */
export function readClock(clock: (() => number) | undefined): () => number {
  if (clock === undefined) return Date.now;
  if (typeof clock !== 'function' || !Number.isFinite(clock()))
    fail('clock: write a function that returns milliseconds since the epoch');
  return clock;
}

/** A whole number within bounds, or its default. */
export function readNumber(
  name: string,
  value: number | undefined,
  fallback: number,
  min: number,
  max: number,
): number {
  if (value === undefined) return fallback;
  if (!Number.isSafeInteger(value) || value < min || value > max)
    fail(`${name}: write a whole number from ${min} to ${max}`);
  return value;
}

/** The configured origins; the server does not start without them. */
export function readOrigins(origins: TabOptions['origins'] | undefined): Origins {
  if (origins === undefined) fail("origins: name what clients address, like origins: ['https://api.example.com']");
  return new Origins(typeof origins === 'string' ? [origins] : origins);
}

function readThreats(where: string, names: readonly string[] = []): readonly string[] {
  for (const name of names) {
    if (typeof name !== 'string' || !isThreatName(name))
      fail(`${where}: '${String(name)}' is not a threat name; a vendor's own is written x-<vendor>-<name>`);
  }
  return [...names];
}

function readApp(app: TabAppOptions): RegisteredApp {
  const where = `apps['${String(app?.id)}']`;
  if (typeof app?.id !== 'string' || !isAppId(app.id)) fail(`${where}: id must be 1–128 of A–Z a–z 0–9 . _ : -`);
  if (typeof app.platform !== 'string' || !/^[a-z0-9-]{1,32}$/.test(app.platform))
    fail(`${where}: platform must be a lower-case name such as 'android'`);
  if (app.minVersion !== undefined && !isSemVer(app.minVersion))
    fail(`${where}: minVersion must be a SemVer 2.0.0 version such as '1.4.0'`);
  checkMembers(app, APP_MEMBERS, where);
  const attesters = attesterRegistry(app.attestation ?? []);
  if (attesters.size === 0 && app.allowUnattested !== true) {
    fail(`${where}: no instance could enrol; list attestation formats, or say allowUnattested: true`);
  }
  return {
    id: app.id,
    platform: app.platform,
    minVersion: app.minVersion ?? null,
    probes: readThreats(`${where}.probes`, app.probes),
    suspendOn: readThreats(`${where}.suspendOn`, app.suspendOn),
    attesters,
    allowUnattested: app.allowUnattested === true,
    allowDowngrade: app.allowDowngrade === true,
    attestationMaxAge: readNumber(`${where}.attestationMaxAge`, app.attestationMaxAge, MONTH, 60, 10 * 365 * 24 * 3600),
  };
}

/** The registered apps by id. */
export function readApps(apps: TabOptions['apps'] | undefined): ReadonlyMap<string, RegisteredApp> {
  if (!Array.isArray(apps) || apps.length === 0)
    fail("apps: register at least one, like apps: [{ id: 'com.example.app', platform: 'android', … }]");
  const registered = new Map<string, RegisteredApp>();
  for (const each of apps.map(readApp)) {
    if (registered.has(each.id)) fail(`apps: '${each.id}' is there twice; one app id is one app on one platform`);
    registered.set(each.id, each);
  }
  return registered;
}

/** The accepted algorithms; ES256 is mandatory. */
export function readAlgorithms(algorithms: readonly TabAlgorithm[] = []): ReadonlySet<TabAlgorithm> {
  for (const name of algorithms) {
    if (!TAB_ALGORITHMS.includes(name))
      fail(`algorithms: '${String(name)}' is not one of ${TAB_ALGORITHMS.join(', ')}`);
  }
  return new Set<TabAlgorithm>(['ES256', ...algorithms]);
}

/** The time window of tokens. */
export function readWindow(token: TabOptions['token'] = {}): TimeWindow {
  checkMembers(token, ['lifetime', 'tolerance'], 'token');
  return {
    lifetime: readNumber('token.lifetime', token.lifetime, 60, 1, 120),
    tolerance: readNumber('token.tolerance', token.tolerance, 5, 0, 15),
  };
}

/** The limits on unproven callers. */
export function readLimits(limits: TabOptions['limits'] = {}): EnrolmentLimits {
  checkMembers(limits, ['enrolmentsPerMinute', 'challengesPerMinute', 'liveClaims'], 'limits');
  const enrolmentsPerMinute = readNumber('limits.enrolmentsPerMinute', limits.enrolmentsPerMinute, 60, 1, 1_000_000);
  const challengesPerMinute = readNumber(
    'limits.challengesPerMinute',
    limits.challengesPerMinute,
    4 * enrolmentsPerMinute,
    1,
    4_000_000,
  );
  return { enrolmentsPerMinute, challengesPerMinute };
}

/** The bound on the live claims of one instance; undefined for none. */
export function readClaimQuota({ liveClaims }: NonNullable<TabOptions['limits']> = {}): ClaimQuota | undefined {
  if (liveClaims === undefined || liveClaims === false) return undefined;
  return new ClaimQuota(readNumber('limits.liveClaims', liveClaims, 1, 1, 1_000_000));
}

/** Milliseconds that the health check waits for a store. */
export function readHealthTimeout(health: TabOptions['health'] = {}): number {
  checkMembers(health, ['timeout'], 'health');
  return readNumber('health.timeout', health.timeout, 2000, 1, 60_000);
}

/** Where the credential is and what verifies it. */
export function readCredential(credential: TabOptions['credential']): CredentialSettings {
  if (credential === undefined) return {};
  if (typeof credential === 'function') return { verify: credential };
  if (typeof credential !== 'object' || credential === null)
    fail('credential: write a function, or { cookie, verify }');
  checkMembers(credential, ['cookie', 'verify'], 'credential');
  const { cookie, verify } = credential;
  if (cookie !== undefined && !/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(cookie))
    fail('credential.cookie: not a cookie name');
  if (verify !== undefined && typeof verify !== 'function') fail('credential.verify: write a function');
  return { cookie, verify };
}

/** Whether the process says that it is production, where defaults that suit one machine only are refused. */
function isProduction(): boolean {
  return process.env.NODE_ENV === 'production';
}

/**
 * A default that is only safe on one machine: told about at start-up, refused in production.
 *
 * @param named whether the application chose it by name
 * @param warn where to tell
 */
export function checkSingleMachineDefault(named: boolean, message: string, warn: (message: string) => void): void {
  if (named) return;
  if (isProduction()) fail(message);
  warn(message);
}

/** The secrets that challenges are made from. */
export function readSecrets(secrets: TabOptions['secrets'], warn: (message: string) => void): [Secret, ...Secret[]] {
  if (secrets === undefined || secrets === 'random') {
    checkSingleMachineDefault(
      secrets === 'random',
      "secrets: a random secret suits one process only, and challenges end with it; name shared secrets, or say secrets: 'random'",
      warn,
    );
    return [readSecret(randomBytes(32))];
  }
  if (!Array.isArray(secrets) || secrets.length === 0)
    fail("secrets: write a list of at least one secret, or 'random'");
  return (secrets as readonly (string | Uint8Array)[]).map(readSecret) as [Secret, ...Secret[]];
}
