import { BindingStore } from '../../bindings/binding-store.js';
import type {
  AppInstance,
  Bindings,
  BindingQuery,
  BindingSweep,
  BindOutcome,
  BoundSession,
  Ending,
  InstanceFilter,
  Rebinding,
  RebindOutcome,
} from '../../bindings/binding.types.js';
import { unavailable } from './database/database-error.js';
import type { TabDatabase } from './database/database.types.js';
import type { SqlRow, SqlValue, StatementResult, Work } from './database/statement.js';
import { decodeRow, encodeRow } from './rows/column.js';
import { clipReason, INSTANCE, SESSION } from './rows/shapes.js';
import { bindingSql, type BindingSql, type BindingTables } from './work/binding-sql.js';
import { revokeWork, suspendWork, sweepInstancesWork } from './work/instance-work.js';
import { bindWork, rebindWork } from './work/session-work.js';

const MAX_SESSIONS = 1000;
const DEFAULT_INSTANCES = 100;
const MAX_INSTANCES = 1000;

/**
 * Instances and sessions in two tables. Reads go to the primary. Nothing takes part in a transaction of the application:
 * what is bound or ended here stays so when the application rolls back. On SQLite the calls wait for open transactions of
 * the application; one that is awaited inside such a transaction is refused after two seconds.
 */
export class TypeOrmBindingStore extends BindingStore {
  private readonly sql: BindingSql;

  constructor(
    private readonly database: TabDatabase,
    tables: BindingTables,
  ) {
    super();
    this.sql = bindingSql(database.dialect, tables);
  }

  override async load(query: BindingQuery): Promise<Bindings> {
    const { instanceId, sessionId, credentialHash } = query;
    const { rows } = await (sessionId !== undefined
      ? this.run(this.sql.loadBySession, instanceId, sessionId)
      : credentialHash !== undefined
        ? this.run(this.sql.loadByCredential, instanceId, credentialHash)
        : this.run(this.sql.loadInstance, instanceId));
    const instance = found<AppInstance>(rows[0], 'i_', (row) => decodeRow(INSTANCE, row, 'i_'));
    const session = found<BoundSession>(rows[0], 's_', (row) => decodeRow(SESSION, row, 's_'));
    // Ensures that the octets asked for are the octets found, whatever the collation of a column makes of them.
    const isSession =
      session && (sessionId !== undefined ? session.id === sessionId : session.credentialHash === credentialHash);
    return { ...(instance?.id === instanceId && { instance }), ...(isSession && { session }) };
  }

  override async saveInstance(instance: AppInstance, expectedRevision?: number): Promise<boolean> {
    const next = { ...instance, revision: (expectedRevision ?? 0) + 1 };
    const statusReason = next.statusReason === null ? null : clipReason(next.statusReason);
    const [id, ...values] = encodeRow(INSTANCE, { ...next, statusReason });
    try {
      const { affected } = await (expectedRevision === undefined
        ? this.database.run({ sql: this.sql.insertInstance, params: [id ?? null, ...values] })
        : this.database.run({ sql: this.sql.replaceInstance, params: [...values, id ?? null, expectedRevision] }));
      return affected === 1;
    } catch (error) {
      if (expectedRevision === undefined && this.database.dialect.isDuplicate(error)) return false;
      throw unavailable(error);
    }
  }

  override bind(session: BoundSession): Promise<BindOutcome> {
    return this.transaction(() => bindWork(this.sql, session));
  }

  override rebind(change: Rebinding): Promise<RebindOutcome> {
    return this.transaction(() => rebindWork(this.sql, change));
  }

  override suspend(instanceId: string, ending: Ending, threats: readonly string[]): Promise<boolean> {
    return this.transaction(() => suspendWork(this.sql, instanceId, ending, threats));
  }

  override revoke(instanceId: string, ending: Ending): Promise<boolean> {
    return this.transaction(() => revokeWork(this.sql, instanceId, ending));
  }

  override async endSession(sessionId: string, ending: Ending): Promise<boolean> {
    const { affected } = await this.run(this.sql.endSession, ending.at, clipReason(ending.reason), sessionId);
    return affected === 1;
  }

  override async endSessions(subject: string, ending: Ending): Promise<number> {
    const condition = this.database.dialect.sameText('subject', subject);
    const sql = this.sql.endSessionsWhere(condition.sql);
    const { affected } = await this.run(sql, ending.at, clipReason(ending.reason), ...condition.params);
    return affected;
  }

  override async findInstances({ appId, status, after, limit }: InstanceFilter): Promise<AppInstance[]> {
    const conditions: [sql: string, value: string | undefined][] = [
      ['i.app_id = ?', appId],
      ['i.status = ?', status],
      ['i.id > ?', after],
    ];
    const used = conditions.filter((condition): condition is [string, string] => condition[1] !== undefined);
    const where = used.length > 0 ? ` WHERE ${used.map(([sql]) => sql).join(' AND ')}` : '';
    const count = Math.min(Math.max(Math.trunc(limit ?? DEFAULT_INSTANCES), 1), MAX_INSTANCES);
    const sql = `${this.sql.selectInstance}${where} ORDER BY i.id LIMIT ?`;
    const { rows } = await this.run(sql, ...used.map(([, value]) => value), count);
    return rows.map((row) => decodeRow(INSTANCE, row, 'i_'));
  }

  override async findSessions(subject: string): Promise<BoundSession[]> {
    const condition = this.database.dialect.sameText('s.subject', subject);
    const sql = `${this.sql.selectSession} WHERE ${condition.sql} ORDER BY s.created_at DESC, s.id DESC LIMIT ?`;
    const { rows } = await this.run(sql, ...condition.params, MAX_SESSIONS);
    return rows.map((row) => decodeRow(SESSION, row, 's_'));
  }

  override async sweep(what: BindingSweep): Promise<number> {
    const { sessionsBefore, limit } = what;
    const { affected: expired } = await this.run(this.sql.deleteExpiredSessions, sessionsBefore, limit);
    const { affected: ended } = await this.run(this.sql.deleteEndedSessions, sessionsBefore, limit - expired);
    return expired + ended + (await this.transaction(() => sweepInstancesWork(this.sql, what)));
  }

  private async run(sql: string, ...params: SqlValue[]): Promise<StatementResult> {
    try {
      return await this.database.run({ sql, params });
    } catch (error) {
      throw unavailable(error);
    }
  }

  private async transaction<T>(work: () => Work<T>): Promise<T> {
    try {
      return await this.database.transaction(work);
    } catch (error) {
      throw unavailable(error);
    }
  }
}

/** What a LEFT JOIN found under a prefix, or undefined when all its columns are NULL. */
function found<T>(row: SqlRow | undefined, prefix: string, decode: (row: SqlRow) => T): T | undefined {
  const id = row?.[`${prefix}id`];
  return row === undefined || id === null || id === undefined ? undefined : decode(row);
}
