/** A claim of a nonce: its key, and until when it is kept, in seconds since the epoch. */
export interface Claim {
  readonly key: string;
  readonly expiresAt: number;
}

/**
 * Writes claims of different keys and tells which of the keys it inserted itself. Rejects when that is not certain; rows
 * that it wrote before may then stay.
 */
export type InsertClaims = (claims: readonly Claim[]) => Promise<ReadonlySet<unknown>>;

/** How an engine tells exactly which rows of a batch are new; see `claim-inserts.ts`. */
export type ClaimInsert = 'returning' | 'all-or-none' | 'one-by-one';
