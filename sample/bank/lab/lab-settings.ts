/** The attack lab: a page that attacks the bank for real, and a feed of what the bank decided. For trying out only. */
export interface LabSettings {
  /** Folder of the built page. */
  readonly folder: string;
  /** Listeners to the feed at the same time; whoever comes next is answered 503. Default 20. */
  readonly maxListeners?: number;
  /** Of these from one address. Default 4. */
  readonly maxPerAddress?: number;
  /** Milliseconds between two comments that keep the feed's connections open. Default 15,000. */
  readonly heartbeat?: number;
  /** A clock that only goes on, in milliseconds. Default `performance.now()`. */
  readonly now?: () => number;
}

/** Injection token of the `LabSettings`. */
export const LAB_SETTINGS = Symbol('LAB_SETTINGS');
