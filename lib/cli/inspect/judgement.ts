import type { Wishes } from './wishes.js';

/** What evidence is judged against: the wishes, with their files read. */
export interface Judgement extends Pick<
  Wishes,
  'appId' | 'binding' | 'challenge' | 'digests' | 'environment' | 'keyId' | 'packageName'
> {
  readonly now: Date;
  /** PEM; undefined: the platform's own. */
  readonly roots?: readonly string[];
}
