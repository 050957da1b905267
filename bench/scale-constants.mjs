// Everything that the model knows of the stores, with where each figure is from. `--check` measures those marked as measured.

/** Seconds for which a claim of a token is live (PROTOCOL section 6, claims): a constant of version 1. */
export const LIVE = 180;

/**
 * By store, from `--check` on 2026-11-22: one process, one server and the load on a virtual machine with two shared cores (AMD EPYC),
 * Node 20.20, PostgreSQL 15.20, MariaDB 10.11, Redis 7.0, SQLite of better-sqlite3 12, while other work ran on it. Bytes hold on any
 * machine. Times are the largest of two runs: other work on the same cores makes them larger, and nothing makes them smaller. Rates
 * are the median under that work; on a quiet machine those of the SQL servers were up to ten times as high.
 *
 * `perNonce` and `fixed`: bytes of a nonce with its index entries, and of an empty store with its buckets. `tail`: seconds for which
 * one stays after it is over, at most: buckets of a minute that are kept for another, and a sweep every half minute; in Redis a
 * minute. `clientUs` and `serverUs`: processor microseconds of one claim at 64 in flight, in the Node process and in the server.
 * `rate`: claims per second at 64 in flight.
 */
export const MEASURED = {
  memory: { perNonce: 36.2, fixed: 1e5, tail: 1, clientUs: 1.8, serverUs: 0, rate: 300_000 },
  PostgreSQL: { perNonce: 127.4, fixed: 4e5, tail: 150, clientUs: 17, serverUs: 14, rate: 15_000 },
  MariaDB: { perNonce: 109.5, fixed: 8.1e6, tail: 150, clientUs: 10, serverUs: 16, rate: 18_000 },
  SQLite: { perNonce: 35.8, fixed: 8e3, tail: 150, clientUs: 13, serverUs: 0, rate: 35_000 },
  Redis: { perNonce: 135, fixed: 6e4, tail: 60, clientUs: 4, serverUs: 7, rate: 130_000 },
  // As in a cluster: one script for each slot, measured on one server.
  'Redis by slots': { perNonce: 135, fixed: 6e4, tail: 60, clientUs: 9, serverUs: 11, rate: 56_000 },
};

/** What was not measured, and why it is what it is. */
export const ASSUMED = {
  /** Bytes of an instance with its session in SQL, indices included: 1 KB of columns, half as much again of indices. */
  bindingBytes: 1500,
  /** Part of the bindings that is in use within an hour. */
  hotBindings: 0.2,
  /** Processor microseconds of the database for one load of instance and session. */
  loadUs: 50,
  /** Guarded requests per second that one process is planned for. */
  requestsPerProcess: 1000,
  /** Statements with claims that one process has under way at most: `ClaimBatcher`. */
  batchesInFlight: 3,
};
