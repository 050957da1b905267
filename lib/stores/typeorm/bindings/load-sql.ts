import type { BindingQuery } from '../../../bindings/binding.types.js';
import type { Dialect } from '../database/database.types.js';
import type { SqlRow, Statement } from '../database/statement.js';
import type { FoundRows } from '../rows/bindings.js';
import { selectList } from '../rows/column.js';
import { INSTANCE, SESSION } from '../rows/shapes.js';
import type { BindingSql, BindingTables } from '../work/binding-sql.js';

/** What a batch of loads looks for, each once. */
interface Wanted {
  readonly instanceIds: readonly string[];
  readonly sessionIds: readonly string[];
  readonly credentialHashes: readonly string[];
}

/** One statement of a batch, and how to find in its rows what each of the queries asked for. */
export interface LoadBatch {
  readonly statement: Statement;
  find(rows: readonly SqlRow[]): FoundRows[];
}

/** The statement of one load. */
export function singleLoad(sql: BindingSql, { instanceId, sessionId, credentialHash }: BindingQuery): Statement {
  const isPrepared = true;
  if (sessionId !== undefined) return { sql: sql.loadBySession, params: [instanceId, sessionId], isPrepared };
  if (credentialHash !== undefined)
    return { sql: sql.loadByCredential, params: [instanceId, credentialHash], isPrepared };
  return { sql: sql.loadInstance, params: [instanceId], isPrepared };
}

/**
 * Makes one statement of many loads: the instances, the sessions and the version blocks, one below the other. Each comes
 * once, however many loads ask for it. The rows are told apart, and given to the queries, by their exact ids.
 */
export function loadBatches(dialect: Dialect, tables: BindingTables): (queries: readonly BindingQuery[]) => LoadBatch {
  const sqlOf = batchSql(dialect, tables);
  return (queries) => {
    const wanted = wantedOf(queries);
    return { statement: sqlOf(wanted), find: (rows) => findEach(rows, queries) };
  };
}

function wantedOf(queries: readonly BindingQuery[]): Wanted {
  const instanceIds = new Set<string>();
  const sessionIds = new Set<string>();
  const credentialHashes = new Set<string>();
  for (const { instanceId, sessionId, credentialHash } of queries) {
    instanceIds.add(instanceId);
    if (sessionId !== undefined) sessionIds.add(sessionId);
    else if (credentialHash !== undefined) credentialHashes.add(credentialHash);
  }
  return {
    instanceIds: [...instanceIds],
    sessionIds: [...sessionIds],
    credentialHashes: [...credentialHashes],
  };
}

const instance = selectList(INSTANCE, 'i', 'i_');
const session = selectList(SESSION, 's', 's_');
/** What stands in a part for the columns of the others; the first part names them all. */
const noInstance = INSTANCE.columns.map(() => 'NULL').join(', ');
const noSession = SESSION.columns.map(({ name }) => `NULL AS s_${name}`).join(', ');
const noBlock = 'NULL AS b_app_id, NULL AS b_version_range';

function batchSql(dialect: Dialect, { instances, sessions, blocks }: BindingTables) {
  const first = `SELECT ${instance}, ${noSession}, ${noBlock} FROM ${instances} i WHERE `;
  const second = ` UNION ALL SELECT ${noInstance}, ${session}, ${noBlock} FROM ${sessions} s WHERE `;
  const third =
    ` UNION ALL SELECT ${noInstance}, ${noSession}, b.app_id, b.version_range FROM ${blocks} b ` +
    `WHERE b.app_id IN (SELECT i.app_id FROM ${instances} i WHERE `;
  const textOf = remembered(([byInstance = '', ...bySession]) => {
    const parts = bySession.map((condition) => second + condition);
    return [first + byInstance, ...parts, third + byInstance, ')'].join('');
  });
  return ({ instanceIds, sessionIds, credentialHashes }: Wanted): Statement => {
    const byInstance = dialect.oneOf('i.id', instanceIds);
    const bySession = sessionIds.length > 0 ? [dialect.oneOf('s.id', sessionIds)] : [];
    const byHash = credentialHashes.length > 0 ? [dialect.oneOf('s.credential_hash', credentialHashes)] : [];
    const conditions = [byInstance, ...bySession, ...byHash];
    const sql = textOf(conditions.map((each) => each.sql));
    return { sql, params: [...conditions, byInstance].flatMap((each) => each.params), isPrepared: true };
  };
}

/** Keeps the few texts of engines that take a list as one parameter: what handles them further goes by the same string. */
function remembered(make: (conditions: readonly string[]) => string): (conditions: readonly string[]) => string {
  const known = new Map<string, string>();
  return (conditions) => {
    const key = conditions.join(' ');
    let text = known.get(key);
    if (text === undefined) {
      text = make(conditions);
      if (known.size < 16) known.set(key, text);
    }
    return text;
  };
}

function findEach(rows: readonly SqlRow[], queries: readonly BindingQuery[]): FoundRows[] {
  const instances = new Map<unknown, SqlRow>();
  const sessions = new Map<unknown, SqlRow>();
  const holders = new Map<unknown, SqlRow>();
  const blocks: SqlRow[] = [];
  for (const row of rows) {
    if (row['i_id'] !== null) instances.set(row['i_id'], row);
    else if (row['s_id'] !== null) {
      sessions.set(row['s_id'], row);
      holders.set(row['s_credential_hash'], row);
    } else blocks.push(row);
  }
  return queries.map(({ instanceId, sessionId, credentialHash }) => ({
    instance: instances.get(instanceId),
    session: sessionId === undefined ? holders.get(credentialHash) : sessions.get(sessionId),
    blocks,
  }));
}
