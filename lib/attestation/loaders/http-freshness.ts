/** `max-age=…` and the like: name and number of a Cache-Control directive. */
const MAX_AGE = /(?:^|[\s,])max-age="?(\d{1,10})"?(?=[\s,;]|$)/i;
const UNCACHED = /(?:^|[\s,])(?:no-store|no-cache)(?=[\s,=;]|$)/i;

function timeOf(value: string | null): number | undefined {
  const time = Date.parse(value ?? '');
  return Number.isNaN(time) ? undefined : time;
}

/** Seconds that an answer has spent in caches on its way. */
function ageOf(headers: Headers): number {
  const age = Number(headers.get('age') ?? 0);
  return Number.isFinite(age) && age > 0 ? age : 0;
}

/**
 * How long an answer may be used by its own word (RFC 9111 section 4.2): `max-age`, else `Expires` against `Date`, less the
 * time it has spent in caches.
 *
 * @returns seconds, 0 where the answer asks not to be cached; undefined where it says nothing
 */
export function freshnessOf(headers: Headers): number | undefined {
  const control = headers.get('cache-control') ?? '';
  if (UNCACHED.test(control)) return 0;
  const [, maxAge] = MAX_AGE.exec(control) ?? [];
  if (maxAge !== undefined) return Math.max(Number(maxAge) - ageOf(headers), 0);
  const [expires, date] = [timeOf(headers.get('expires')), timeOf(headers.get('date'))];
  if (!headers.has('expires')) return undefined;
  // An Expires that is no time means the past (RFC 9111 section 5.3).
  if (expires === undefined || date === undefined) return 0;
  return Math.max((expires - date) / 1000 - ageOf(headers), 0);
}
