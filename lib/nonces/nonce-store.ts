/** A store that forgets when it restarts says so, so that nothing made before the restart can be replayed after it. */
export interface Volatility {
  /** Random id of this life of the store. Challenges issued in another life do not verify. */
  readonly epoch: string;
  /** When this life began, seconds since the epoch. Tokens without a challenge are refused when `iat ≤ startedAt + 15`. */
  readonly startedAt: number;
}

/**
 * Port: the store of used nonces.
 *
 * `claim` is the one primitive: whoever calls it first with a key wins, and everybody else loses until the entry has
 * expired. An implementation must make that one atomic step (a unique insert, `SET NX`), never a look-up followed by a
 * write, and must reject rather than guess when the outcome is unknown. It never evicts a live entry: full is an error.
 */
export abstract class NonceStore {
  /** Called once at start-up, before anything else: a store that is reached over a network learns here what it is on. */
  open?(): Promise<void>;

  /**
   * Claims `key` until `expiresAt`.
   *
   * @param key fixed size: 22 characters of base64url (PROTOCOL section 6, claims)
   * @param expiresAt seconds since the epoch; the same for every presentation of the same key, so stores may partition by it
   * @returns true for the first caller, false for all others
   * @throws any error when the outcome is not certain; the verifier answers `store_unavailable`
   */
  abstract claim(key: string, expiresAt: number): Promise<boolean>;

  /**
   * Removes up to `limit` entries that expired before `now` (seconds). Called in the background, in small batches.
   *
   * @returns how many were removed; fewer than `limit` means that nothing is left to do
   */
  sweep(_now: number, _limit: number): Promise<number> {
    return Promise.resolve(0);
  }

  /**
   * Set by stores that lose their entries on restart; undefined means durable. A store that outlives the process may begin
   * another life while the process runs: challenges are then made anew, and those of the former life no longer verify.
   */
  get volatility(): Volatility | undefined {
    return undefined;
  }
}
