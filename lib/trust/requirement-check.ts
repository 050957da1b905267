import { TabConfigError } from '../errors/tab-error.js';
import { isSemVer } from '../token/version.js';
import { ASSURANCE_LEVELS } from './assurance.js';
import { GRADE_LISTS } from './grades.js';
import type { RuntimeRequirement, TrustRequirement, TrustRequirementOptions } from './requirement.js';
import { isThreatName } from './threats.js';

const FIELD_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const FORMAT = /^[a-z0-9-]{1,64}$/;

/** Looks at one member; undefined members have been left out before. */
type Check = (value: unknown, where: string) => void;

function fail(where: string, what: string): never {
  throw new TabConfigError(`${where}: ${what}`);
}

function oneOf(choices: readonly string[]): Check {
  return (value, where) => {
    if (!choices.includes(value as string))
      fail(where, `write one of ${choices.map((each) => `'${each}'`).join(', ')}`);
  };
}

const seconds: Check = (value, where) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) fail(where, 'write seconds, as a whole number');
};

function orNull(check: Check): Check {
  return (value, where) => {
    if (value !== null) check(value, where);
  };
}

/** A list in which every entry passes, or the one word that stands for a list. */
function listOf(isEntry: (entry: string) => boolean, what: string, word?: string): Check {
  return (value, where) => {
    if (word !== undefined && value === word) return;
    if (!Array.isArray(value))
      fail(where, word === undefined ? `write a list of ${what}` : `write '${word}' or a list of ${what}`);
    for (const entry of value as unknown[]) {
      if (typeof entry !== 'string' || !isEntry(entry)) fail(where, `'${String(entry)}' is not one of ${what}`);
    }
  };
}

const threats = (word?: string): Check =>
  listOf(isThreatName, "threat names (a vendor's own is written x-<vendor>-<name>)", word);

const version: Check = (value, where) => {
  if (typeof value !== 'string' || !isSemVer(value)) fail(where, "write a SemVer 2.0.0 version such as '1.4.0'");
};

const versions: Check = (value, where) => {
  if (typeof value !== 'object' || value === null) return version(value, where);
  for (const [platform, each] of Object.entries(value)) version(each, `${where}.${platform}`);
};

const flag: Check = (value, where) => {
  if (typeof value !== 'boolean') fail(where, 'write true or false');
};

const rules: Check = (value, where) => {
  if (!Array.isArray(value) || value.some((rule) => typeof rule !== 'function'))
    fail(where, 'write a list of functions');
};

const RUNTIME: Readonly<Record<keyof RuntimeRequirement, Check>> = {
  deny: threats('all'),
  stepUp: threats(),
  flag: threats(),
  monitor: threats(),
  unknown: oneOf(['deny', 'flag']),
  stepUpMaxAge: seconds,
  require: threats('declared'),
  maxAge: seconds,
};

const MEMBERS: Readonly<Record<keyof TrustRequirement, Check>> = {
  session: oneOf(['required', 'optional', 'none']),
  assurance: oneOf(ASSURANCE_LEVELS),
  attestationMaxAge: orNull(seconds),
  formats: listOf((name) => FORMAT.test(name), "attestation formats such as 'android-key'", 'any'),
  keyBound: flag,
  assertion: flag,
  minVersion: orNull(versions),
  runtime: (value, where) => checkObject(value, RUNTIME, where),
  body: flag,
  challenge: oneOf(['none', 'recent', 'single-use']),
  proof: oneOf(['any', 'signature']),
  headers: listOf((name) => FIELD_NAME.test(name), "lower-case header names such as 'idempotency-key'"),
  mode: oneOf(['enforce', 'monitor']),
  onBreach: oneOf(['reject', 'revoke-session', 'suspend', 'revoke-instance']),
  appraise: rules,
};

function checkObject(value: unknown, checks: Readonly<Record<string, Check>>, where: string): void {
  if (typeof value !== 'object' || value === null)
    fail(where, `write an object with members of ${Object.keys(checks).join(', ')}`);
  for (const [name, member] of Object.entries(value)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (check === undefined) fail(where, `unknown member '${name}'; write one of ${Object.keys(checks).join(', ')}`);
    else if (member !== undefined) check(member, `${where}.${name}`);
  }
}

/**
 * Ensures that a requirement, as it is written, can mean only what it says.
 *
 * @param where how the message names it, such as `policies.transfer`
 * @throws TabConfigError
 */
export function checkRequirement(requirement: TrustRequirementOptions, where: string): void {
  checkObject(requirement, MEMBERS, where);
}

/** Ensures that no threat has two answers. */
function checkGrades(runtime: RuntimeRequirement, where: string): void {
  const answers = new Map<string, string>();
  for (const list of GRADE_LISTS) {
    const names = runtime[list];
    for (const name of names === 'all' ? [] : names) {
      const other = answers.get(name);
      if (other !== undefined) fail(`${where}.runtime`, `'${name}' is in both ${other} and ${list}; keep one`);
      answers.set(name, list);
    }
  }
}

/**
 * Ensures that a resolved requirement can hold: its settings, which come from several levels, do not exclude each other.
 *
 * @throws TabConfigError
 */
export function checkResolved(requirement: TrustRequirement, where: string): void {
  checkGrades(requirement.runtime, where);
  const { formats, session, onBreach, attestationMaxAge, assurance, keyBound, assertion } = requirement;
  if (onBreach === 'revoke-session' && session === 'none') {
    fail(where, "onBreach: 'revoke-session' needs a session; say session: 'required', or another action");
  }
  if (formats !== 'any' && formats.length === 0) fail(where, "formats: no format is left; name one, or say 'any'");
  const onlyUnattested = formats !== 'any' && formats.every((format) => format === 'none');
  if (onlyUnattested && (assurance !== 'none' || attestationMaxAge !== null || keyBound || assertion)) {
    fail(where, "formats: ['none'] can reach no assurance and has no attestation to be recent, key-bound or asserted");
  }
}
