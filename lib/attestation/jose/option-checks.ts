import type { JSONWebKeySet } from 'jose';
import { TabConfigError } from '../../errors/tab-error.js';
import { isJsonObject } from '../../token/json.js';
import type { FetchLike } from './bounded-fetch.js';
import { localJwks, type JwksSource } from './jwks-source.js';
import { remoteJwks, type RemoteJwks } from './remote-jwks.js';
import { ASYMMETRIC_ALGORITHMS } from './signed-jwt.js';

const NAME_MAX_LENGTH = 512;
/** Seconds that an attestation counts when nothing else is said: a day. */
const DEFAULT_MAX_AGE = 86_400;

/** Checks of options, in the words of one attester; every one throws TabConfigError that says what to write instead. */
export class OptionChecks {
  readonly #attester: string;

  constructor(attester: string) {
    this.#attester = attester;
  }

  fail(message: string): never {
    throw new TabConfigError(`${this.#attester}: ${message}`);
  }

  object(value: unknown, example: string): void {
    if (!isJsonObject(value)) this.fail(`give an object such as ${example}`);
  }

  text(value: unknown, where: string, example: string): string {
    if (typeof value === 'string' && value !== '' && value.length <= NAME_MAX_LENGTH) return value;
    return this.fail(`${where} must be a string of 1-${NAME_MAX_LENGTH} characters such as ${example}`);
  }

  optionalText(value: unknown, where: string, example: string): string | undefined {
    return value === undefined ? undefined : this.text(value, where, example);
  }

  flag(value: unknown, where: string): boolean {
    if (value === undefined || typeof value === 'boolean') return value === true;
    return this.fail(`${where} must be true or false; leave it out for false`);
  }

  seconds(value: unknown, where: string, otherwise: number): number {
    const seconds = value ?? otherwise;
    if (typeof seconds === 'number' && Number.isSafeInteger(seconds) && seconds > 0) return seconds;
    return this.fail(`${where} must be a whole number of seconds above 0`);
  }

  /** How long an attestation counts from enrolment on; a day unless said otherwise. */
  maxAge(value: unknown): number {
    return this.seconds(value, 'maxAge', DEFAULT_MAX_AGE);
  }

  optionalFunction(value: unknown, where: string): void {
    if (value !== undefined && typeof value !== 'function') this.fail(`${where} must be a function, or be left out`);
  }

  /** One of the names or a list of them, as a set. */
  oneOrMore(value: unknown, where: string, example: string): ReadonlySet<string> {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (list.length === 0) this.fail(`${where} must name at least one, such as ${example}`);
    return new Set(list.map((each) => this.text(each, where, example)));
  }

  algorithms(value: unknown, where: string): ReadonlySet<string> {
    const known: readonly unknown[] = ASYMMETRIC_ALGORITHMS;
    if (Array.isArray(value) && value.length > 0 && value.every((name) => known.includes(name))) return new Set(value);
    return this.fail(`${where} must list one or more of ${ASYMMETRIC_ALGORITHMS.join(', ')}`);
  }

  keys(jwks: JSONWebKeySet | RemoteJwks, where: string, fetch?: FetchLike): JwksSource {
    this.optionalFunction(fetch, 'fetch');
    if (!isJsonObject(jwks) || 'uri' in jwks === 'keys' in jwks)
      this.fail(`${where} must be { keys: [...] } or { uri }`);
    const name = `${this.#attester}: ${where}`;
    return 'uri' in jwks ? remoteJwks(jwks as RemoteJwks, name, fetch) : localJwks(jwks, name);
  }
}
