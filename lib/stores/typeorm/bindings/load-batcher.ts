import type { Bindings, BindingQuery } from '../../../bindings/binding.types.js';
import type { TabDatabase } from '../database/database.types.js';
import { foundBySingle, readFound, type FoundRows } from '../rows/bindings.js';
import type { BindingSql, BindingTables } from '../work/binding-sql.js';
import { TurnBatcher, type BatchLimits } from '../work/turn-batcher.js';
import { loadBatches, singleLoad } from './load-sql.js';

/**
 * At most 256 loads in a statement, whose rows are read in two milliseconds; one statement under way, or up to three when
 * they take longer than five milliseconds; at most 10,000 loads without an answer, about 5 MB.
 */
const LIMITS: BatchLimits = { maxBatch: 256, maxInFlight: 3, patience: 5, maxWaiting: 10_000 };

/** What ids and hashes are made of. */
const PLAIN = /^[A-Za-z0-9_-]{1,64}$/;

/** Loads that arrive in one turn of the event loop go to a database server in one statement. */
export class LoadBatcher {
  private readonly turns: TurnBatcher<BindingQuery, FoundRows>;

  constructor(database: TabDatabase, sql: BindingSql, tables: BindingTables, limits: Partial<BatchLimits> = {}) {
    const batchOf = loadBatches(database.dialect, tables);
    const findAll = async (queries: readonly BindingQuery[]): Promise<FoundRows[]> => {
      const [only] = queries;
      // An idle server has batches of one, for which the plain statement costs the engine least.
      if (only && queries.length === 1) return [foundBySingle((await database.run(singleLoad(sql, only))).rows)];
      const { statement, find } = batchOf(queries);
      return find((await database.run(statement)).rows);
    };
    this.turns = new TurnBatcher('loads', findAll, { ...LIMITS, ...limits });
  }

  /** Whether a query may share a statement: a text that the database refuses must fail nobody else's load. */
  static accepts({ instanceId, sessionId, credentialHash }: BindingQuery): boolean {
    return PLAIN.test(instanceId) && PLAIN.test(sessionId ?? credentialHash ?? '-');
  }

  /**
   * What `BindingStore.load` returns, as of a moment after this call.
   *
   * @throws TabError `store_unavailable` when the statement fails, or too many loads wait
   */
  load(query: BindingQuery): Promise<Bindings> {
    // Loads may share rows, but every caller gets objects of its own.
    return this.turns.ask(keyOf(query), query).then((rows) => readFound(rows, query));
  }
}

/** None of the characters of an id is a space. */
function keyOf({ instanceId, sessionId, credentialHash }: BindingQuery): string {
  if (sessionId !== undefined) return `${instanceId} s ${sessionId}`;
  return credentialHash === undefined ? instanceId : `${instanceId} c ${credentialHash}`;
}
