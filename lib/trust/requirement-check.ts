import { TabConfigError } from '../errors/tab-error.js';
import { isSemVer } from '../token/version.js';
import { ASSURANCE_LEVELS } from './assurance.js';
import type { TrustRequirementOptions } from './requirement.js';
import { isThreatName } from './threats.js';

const MEMBERS = ['session', 'assurance', 'minVersion', 'runtime', 'body', 'challenge', 'headers'] as const;
const RUNTIME_MEMBERS = ['deny', 'require', 'maxAge'] as const;
const CHOICES = {
  session: ['required', 'optional', 'none'],
  challenge: ['none', 'recent', 'single-use'],
  assurance: ASSURANCE_LEVELS,
} as const;
const FIELD_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

function fail(where: string, what: string): never {
  throw new TabConfigError(`${where}: ${what}`);
}

function checkMembers(value: object, known: readonly string[], where: string): void {
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) fail(where, `unknown member '${name}'; write one of ${known.join(', ')}`);
  }
}

function checkChoice(value: unknown, choices: readonly string[], where: string): void {
  if (value !== undefined && !choices.includes(value as string))
    fail(where, `write one of ${choices.map((each) => `'${each}'`).join(', ')}`);
}

/** A list of threat names, or the one word that stands for a list. */
function checkThreats(value: unknown, word: string, where: string): void {
  if (value === undefined || value === word) return;
  if (!Array.isArray(value)) fail(where, `write '${word}' or a list of threat names`);
  for (const name of value as unknown[]) {
    if (typeof name !== 'string' || !isThreatName(name)) {
      fail(where, `'${String(name)}' is not a threat name; a vendor's own is written x-<vendor>-<name>`);
    }
  }
}

function checkRuntime(runtime: TrustRequirementOptions['runtime'], where: string): void {
  if (runtime === undefined) return;
  if (typeof runtime !== 'object' || runtime === null) fail(where, 'write an object such as { maxAge: 60 }');
  checkMembers(runtime, RUNTIME_MEMBERS, where);
  checkThreats(runtime.deny, 'all', `${where}.deny`);
  checkThreats(runtime.require, 'declared', `${where}.require`);
  const { maxAge } = runtime;
  if (maxAge !== undefined && (!Number.isSafeInteger(maxAge) || maxAge < 0))
    fail(`${where}.maxAge`, 'write seconds, as a whole number');
}

function checkHeaders(headers: unknown, where: string): void {
  if (headers === undefined) return;
  if (!Array.isArray(headers)) fail(where, "write a list such as ['idempotency-key']");
  for (const name of headers as unknown[]) {
    if (typeof name !== 'string' || !FIELD_NAME.test(name))
      fail(where, `'${String(name)}' is not a lower-case header name`);
  }
}

function checkMinVersion(version: unknown, where: string): void {
  if (version === undefined || version === null) return;
  if (typeof version !== 'string' || !isSemVer(version)) fail(where, "write a SemVer 2.0.0 version such as '1.4.0'");
}

/**
 * Ensures that a requirement can mean only what it says.
 *
 * @param where how the message names it, such as `policies.transfer`
 * @throws TabConfigError
 */
export function checkRequirement(requirement: TrustRequirementOptions, where: string): void {
  if (typeof requirement !== 'object' || requirement === null)
    fail(where, "write an object such as { session: 'none' }");
  checkMembers(requirement, MEMBERS, where);
  checkChoice(requirement.session, CHOICES.session, `${where}.session`);
  checkChoice(requirement.challenge, CHOICES.challenge, `${where}.challenge`);
  checkChoice(requirement.assurance, CHOICES.assurance, `${where}.assurance`);
  checkMinVersion(requirement.minVersion, `${where}.minVersion`);
  checkRuntime(requirement.runtime, `${where}.runtime`);
  checkHeaders(requirement.headers, `${where}.headers`);
  if (requirement.body !== undefined && typeof requirement.body !== 'boolean')
    fail(`${where}.body`, 'write true or false');
}
