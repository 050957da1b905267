import {
  boundedFilter,
  inBlockOrder,
  isAppId,
  isBlockRange,
  storableBlock,
  storableBreach,
} from '../../bindings/binding-arguments.js';
import { BindingStore } from '../../bindings/binding-store.js';
import type {
  AppInstance,
  Bindings,
  BindingQuery,
  BindingSweep,
  BindOutcome,
  BoundSession,
  Breach,
  BreachFilter,
  Ending,
  InstanceFilter,
  Rebinding,
  RebindOutcome,
  VersionBlock,
} from '../../bindings/binding.types.js';
import { LoadBatcher } from './bindings/load-batcher.js';
import { singleLoad } from './bindings/load-sql.js';
import { unavailable } from './database/database-error.js';
import type { TabDatabase } from './database/database.types.js';
import type { Statement, StatementResult, Work } from './database/statement.js';
import { readBindings } from './rows/bindings.js';
import { decodeRow, encodeRow } from './rows/column.js';
import { BLOCK, BREACH, clipReason, INSTANCE, SESSION } from './rows/shapes.js';
import { bindingSql, conjunction, type BindingSql, type BindingTables } from './work/binding-sql.js';
import { blockWork } from './work/block-work.js';
import { revokeWork, suspendWork, sweepInstancesWork } from './work/instance-work.js';
import { bindWork, rebindWork } from './work/session-work.js';

const MAX_SESSIONS = 1000;
const DEFAULT_INSTANCES = 100;
const MAX_INSTANCES = 1000;
const MAX_BLOCKS = 10_000;

/**
 * Instances, sessions, breaches and version blocks, each in a table. Reads go to the primary. Nothing takes part in a transaction of the application:
 * what is bound or ended here stays so when the application rolls back. On SQLite the calls wait for open transactions of
 * the application; one that is awaited inside such a transaction is refused after two seconds.
 */
export class TypeOrmBindingStore extends BindingStore {
  private readonly sql: BindingSql;
  private readonly batches: LoadBatcher;

  constructor(
    private readonly database: TabDatabase,
    tables: BindingTables,
  ) {
    super();
    this.sql = bindingSql(database.dialect, tables);
    this.batches = new LoadBatcher(database, this.sql, tables);
  }

  override load(query: BindingQuery): Promise<Bindings> {
    // SQLite answers at once, and a statement costs it little: there is nothing to gather for.
    const isBatched = this.database.dialect.engine !== 'sqlite' && LoadBatcher.accepts(query);
    return isBatched ? this.batches.load(query) : this.loadAlone(query);
  }

  private async loadAlone(query: BindingQuery): Promise<Bindings> {
    const { sql, params } = singleLoad(this.sql, query);
    return readBindings((await this.run(sql, ...params)).rows, query);
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
    const { where, params } = conjunction([
      ['i.app_id = ?', appId],
      ['i.status = ?', status],
      ['i.id > ?', after],
    ]);
    const count = Math.min(Math.max(Math.trunc(limit ?? DEFAULT_INSTANCES), 1), MAX_INSTANCES);
    const sql = `${this.sql.selectInstance}${where} ORDER BY i.id LIMIT ?`;
    const { rows } = await this.run(sql, ...params, count);
    return rows.map((row) => decodeRow(INSTANCE, row, 'i_'));
  }

  override async findSessions(subject: string): Promise<BoundSession[]> {
    const condition = this.database.dialect.sameText('s.subject', subject);
    const sql = `${this.sql.selectSession} WHERE ${condition.sql} ORDER BY s.created_at DESC, s.id DESC LIMIT ?`;
    const { rows } = await this.run(sql, ...condition.params, MAX_SESSIONS);
    return rows.map((row) => decodeRow(SESSION, row, 's_'));
  }

  override async recordBreach(breach: Breach): Promise<void> {
    const params = encodeRow(BREACH, storableBreach(breach));
    try {
      await this.database.run({ sql: this.sql.insertBreach, params });
    } catch (error) {
      // The breach is kept already: that is what was asked for.
      if (!this.database.dialect.isDuplicate(error)) throw unavailable(error);
    }
  }

  override async findBreaches(filter: BreachFilter): Promise<Breach[]> {
    const { instanceId, since, limit } = boundedFilter(filter);
    const { where, params } = conjunction([
      ['x.instance_id = ?', instanceId],
      ['x.breached_at >= ?', since],
    ]);
    const sql = `${this.sql.selectBreach}${where} ORDER BY x.breached_at DESC, x.id DESC LIMIT ?`;
    const { rows } = await this.run(sql, ...params, limit);
    const found = rows.map((row) => decodeRow(BREACH, row, 'x_'));
    return found.filter((breach) => instanceId === undefined || breach.instanceId === instanceId);
  }

  override async blockVersions(block: VersionBlock): Promise<void> {
    const kept = storableBlock(block);
    return this.transaction(() => blockWork(this.sql, kept));
  }

  override async unblockVersions(appId: string, range: string): Promise<boolean> {
    // Ensures that a text which no block can have is not taken for one that differs in trailing spaces.
    if (!isAppId(appId) || !isBlockRange(range)) return false;
    const { affected } = await this.run(this.sql.deleteBlock, appId, range);
    return affected === 1;
  }

  override async findBlocks(appId?: string): Promise<VersionBlock[]> {
    if (appId !== undefined && !isAppId(appId)) return [];
    const { where, params } = conjunction([['b.app_id = ?', appId]]);
    const sql = `${this.sql.selectBlock}${where} ORDER BY b.app_id, b.version_range LIMIT ?`;
    const { rows } = await this.run(sql, ...params, MAX_BLOCKS);
    return rows.map((row) => decodeRow(BLOCK, row, 'b_')).sort(inBlockOrder);
  }

  override async sweep(what: BindingSweep): Promise<number> {
    const { sessionsBefore, breachesBefore, limit } = what;
    const { affected: expired } = await this.run(this.sql.deleteExpiredSessions, sessionsBefore, limit);
    const { affected: ended } = await this.run(this.sql.deleteEndedSessions, sessionsBefore, limit - expired);
    const { affected: breaches } = await this.run(this.sql.deleteBreaches, breachesBefore, limit);
    return expired + ended + breaches + (await this.transaction(() => sweepInstancesWork(this.sql, what)));
  }

  private async run(sql: string, ...params: Statement['params']): Promise<StatementResult> {
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
