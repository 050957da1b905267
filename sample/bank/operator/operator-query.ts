import { BadRequestException } from '@nestjs/common';
import type { SummaryKey } from 'nestjs-tab';

/** What a summary may be broken down by. */
const SUMMARY_KEYS: readonly SummaryKey[] = ['code', 'threat', 'version', 'route'];

/** Decisions listed at most. */
const MAX_LIMIT = 1000;
const DEFAULT_LIMIT = 100;
/** Milliseconds that a summary reaches back unless it is asked for more. */
const DAY = 24 * 3600 * 1000;
/** The last second that a `Date` can name. */
const MAX_SECONDS = 8_640_000_000_000;

/** `GET /operator/decisions?limit=`. @throws BadRequestException that says what to write */
export function readListQuery(query: unknown): { limit: number } {
  const { limit } = read(query, ['limit']);
  const wanted = limit === undefined ? DEFAULT_LIMIT : wholeNumber('limit', limit, MAX_LIMIT);
  if (wanted === 0) throw new BadRequestException(`limit must be a whole number from 1 to ${MAX_LIMIT}`);
  return { limit: wanted };
}

/**
 * `GET /operator/summary?by=&since=`, `since` in seconds since the epoch.
 *
 * @param now milliseconds
 * @throws BadRequestException that says what to write
 */
export function readSummaryQuery(query: unknown, now: number): { by: SummaryKey; since: number } {
  const { by = 'code', since } = read(query, ['by', 'since']);
  const key = SUMMARY_KEYS.find((name) => name === by);
  if (key === undefined) throw new BadRequestException(`by must be one of ${SUMMARY_KEYS.join(', ')}`);
  return { by: key, since: since === undefined ? now - DAY : 1000 * wholeNumber('since', since, MAX_SECONDS) };
}

/** Each parameter once, and none that nobody reads: a misspelt one would otherwise show something else than was asked for. */
function read<Name extends string>(query: unknown, names: readonly Name[]): Partial<Record<Name, string>> {
  const given = Object.entries((query ?? {}) as Record<string, unknown>);
  for (const [name, value] of given) {
    if (!names.some((known) => known === name)) throw new BadRequestException(`write only ${names.join(', ')}`);
    if (typeof value !== 'string') throw new BadRequestException(`${name} must be there once`);
  }
  return Object.fromEntries(given) as Partial<Record<Name, string>>;
}

function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d{1,13}$/.test(text) && value <= max) return value;
  throw new BadRequestException(`${name} must be a whole number from 0 to ${max}`);
}
