import { isJsonObject, type JsonObject } from '../../token/json.js';

/** Longest text that is kept, in characters. */
const TEXT_MAX_LENGTH = 512;
/** Most entries of a list that is kept. */
const LIST_MAX_LENGTH = 32;

/** Reads members of JSON that is not trusted to be well-typed; refuses in the words of one format. */
export class Members {
  readonly #members: JsonObject;
  readonly #refuse: (detail: string) => never;

  constructor(members: JsonObject, refuse: (detail: string) => never) {
    this.#members = members;
    this.#refuse = refuse;
  }

  /** The member as it is; undefined when absent. Only own members count. */
  value(name: string): unknown {
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined;
  }

  optionalText(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || (typeof value === 'string' && value.length <= TEXT_MAX_LENGTH)) return value;
    return this.#refuse(`${name} is not a string of at most ${TEXT_MAX_LENGTH} characters`);
  }

  text(name: string): string {
    return this.optionalText(name) ?? this.#refuse(`${name} is absent`);
  }

  /** Seconds since the epoch, with a fraction where the issuer writes one. */
  optionalTime(name: string): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
    return this.#refuse(`${name} is not a time`);
  }

  time(name: string): number {
    return this.optionalTime(name) ?? this.#refuse(`${name} is absent`);
  }

  optionalTexts(name: string): readonly string[] | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length > LIST_MAX_LENGTH || !value.every(isShortText)) {
      return this.#refuse(`${name} is not a list of at most ${LIST_MAX_LENGTH} short strings`);
    }
    return value;
  }

  /** `aud` as a list; empty when absent (RFC 7519 section 4.1.3). */
  audience(): readonly string[] {
    const value = this.value('aud');
    return typeof value === 'string' ? [value] : (this.optionalTexts('aud') ?? []);
  }

  /** The members of a member; those of an empty object when absent. */
  object(name: string): Members {
    const value = this.value(name) ?? {};
    if (!isJsonObject(value)) return this.#refuse(`${name} is not an object`);
    return new Members(value, (detail) => this.#refuse(`${name}: ${detail}`));
  }
}

function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= TEXT_MAX_LENGTH;
}

/** Without the members that are undefined, for claims that are kept as JSON. */
export function present(members: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** Seconds that the clock of an issuer may be ahead of ours. */
const TOLERANCE = 15;

/**
 * What is wrong with the times of a token at `now`; undefined when nothing is. There is no tolerance at the end, since
 * nothing is attested into the past.
 */
export function timeFault(
  { iat, nbf, exp }: { readonly iat?: number; readonly nbf?: number; readonly exp: number },
  now: number,
): string | undefined {
  // Written so that a clock which is not a number finds everything expired.
  if (!(Math.floor(exp) > now)) return 'expired';
  if (iat !== undefined && iat > now + TOLERANCE) return 'issued in the future';
  if (nbf !== undefined && nbf > now + TOLERANCE) return 'not valid yet';
  return (iat ?? 0) >= exp || (nbf ?? 0) >= exp ? 'expires before it begins' : undefined;
}
