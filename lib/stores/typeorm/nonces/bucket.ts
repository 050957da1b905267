/**
 * Claims are kept in buckets by the time they expire at, so that what has expired goes as a whole instead of row by row.
 * A key always comes with the same expiry, hence into the same bucket; the engine decides into which, never a clock of ours.
 */

/** Seconds of expiry that one bucket holds. */
const LENGTH = 60;
/**
 * Seconds for which buckets are made ahead. Claims expire up to six minutes after they are made: maintenance may stand
 * still for twenty minutes before they meet a time without a bucket, which costs no more than their deletion row by row.
 */
const HORIZON = 30 * 60;
/** Seconds for which a bucket outlives the last claim in it: clocks of nodes may differ by 15. */
const KEPT = 60;

/** Most buckets there may be; more come of a clock that is wrong, and are not made. */
export const MAX_BUCKETS = 240;
/** Most rows that are moved into a new bucket, while claims of that bucket wait. */
export const MAX_MOVED = 1000;

/** The claims that expire at `from` or later and before `to`, seconds since the epoch. */
export interface Bucket {
  readonly from: number;
  readonly to: number;
}

/** The bucket of an expiry. */
export function bucketOf(expiresAt: number): Bucket {
  const from = expiresAt - (expiresAt % LENGTH);
  return { from, to: from + LENGTH };
}

/** The latest bucket that ended before `now` (seconds). */
export function bucketBefore(now: number): Bucket {
  return bucketOf(bucketOf(now).from - LENGTH);
}

/** The buckets that should be there at `now` (seconds) and are not: those that no bucket of `existing` overlaps. */
export function missingBuckets(now: number, existing: readonly Bucket[]): readonly Bucket[] {
  const first = bucketOf(now).from;
  const room = Math.max(0, MAX_BUCKETS - existing.length);
  return Array.from({ length: HORIZON / LENGTH }, (_, index) => bucketOf(first + index * LENGTH))
    .filter(({ from, to }) => !existing.some((one) => one.from < to && from < one.to))
    .slice(0, room);
}

/**
 * Where the table beside the buckets has grown large, since nobody made any for long: one bucket for all of `missing` that
 * is so far ahead that few claims are there yet. Making it is dear in proportion to what is beside it, so it is one.
 */
export function wideBucket(now: number, missing: readonly Bucket[]): readonly Bucket[] {
  const ahead = missing.filter(({ from }) => from >= now + HORIZON / 3);
  const end = ahead.findIndex(({ to }, index) => ahead[index + 1]?.from !== to);
  const [first, last] = [ahead[0], ahead[end]];
  return first && last && end >= 9 ? [{ from: first.from, to: last.to }] : [];
}

/** Whether nothing in a bucket can be live at `now` (seconds). */
export function isOver(bucket: Bucket, now: number): boolean {
  return bucket.to + KEPT <= now;
}

/** The name of the table or partition of a bucket. */
export function bucketName(prefix: string, { from }: Bucket): string {
  return `${prefix}${from}`;
}

/** The bucket that has a name; undefined when it is not one of ours. */
export function bucketNamed(prefix: string, name: string): Bucket | undefined {
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  if (!/^(?:0|[1-9]\d{0,14})$/.test(digits)) return undefined;
  const bucket = bucketOf(Number(digits));
  return bucketName(prefix, bucket) === name ? bucket : undefined;
}
