import { TabConfigError } from '../../../errors/tab-error.js';
import type { TabDatabase } from '../database/database.types.js';
import { bucketName, bucketNamed, isOver, missingBuckets, wideBucket, type Bucket } from './bucket.js';
import { pause, untilBusy, type NonceExpiry, type NonceTable } from './nonce-expiry.js';
import { attachSql, detachSql, dropSql, qualified, SHAPE_SQL } from './postgres-sql.js';

/** Largest DEFAULT partition, in octets, beside which buckets are made freely: the engine reads all of it meanwhile. */
const MAX_REST = 64 * 2 ** 20;

/** Most buckets that are dropped at a time; there is one a minute. */
const MAX_DROPPED = 60;

/** A table, partition, or bucket that was detached and not dropped yet. */
interface Relation {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** `FOR VALUES FROM ('60') TO ('120')`, `DEFAULT`, or null for what is no partition. */
  readonly bound: string | null;
  /** `p` for a table that survives a crash. */
  readonly persistence: string;
  /** `RANGE (expires_at)`, or null for what is not partitioned. */
  readonly key: string | null;
  /** Octets on disk, as text. */
  readonly size: string;
}

/** What the catalogue says of the table at one moment. */
interface Shape {
  /** The clock of the server, seconds since the epoch. */
  readonly now: number;
  readonly table: Relation;
  readonly partitions: readonly Relation[];
  /** Where rows without a bucket are; undefined when the table is not partitioned by expiry. */
  readonly rest: Relation | undefined;
  readonly detached: readonly Relation[];
}

/**
 * PostgreSQL: partitions by range of expiry. What has no bucket is in the DEFAULT partition: exactness never depends on
 * a bucket being there. Where the table is not partitioned, as `synchronize` makes it, rows are deleted and no more.
 *
 * Nothing here waits long for a lock, and no lock that claims need is held across a round trip.
 */
export class PostgresExpiry implements NonceExpiry {
  private rest: string | undefined;

  constructor(
    private readonly database: TabDatabase,
    private readonly table: NonceTable,
  ) {}

  async inspect(): Promise<void> {
    await this.read();
  }

  async maintain(now: number): Promise<void> {
    const shape = await this.read();
    if (shape.rest === undefined) return;
    // A clock that is ahead, the node's or the server's, must not drop what is live by the other.
    const sure = Math.min(now, shape.now);
    await untilBusy(this.database, this.creations(shape, now));
    await untilBusy(this.database, this.drops(shape, sure));
  }

  async deleteExpired(now: number, limit: number): Promise<number> {
    if (this.rest === undefined) await this.read();
    const sql =
      `DELETE FROM ONLY ${this.rest} WHERE ctid = ANY(ARRAY(SELECT ctid FROM ONLY ${this.rest} ` +
      `WHERE expires_at < LEAST(?, ${this.database.dialect.clock}) ` +
      `ORDER BY expires_at LIMIT ? FOR UPDATE SKIP LOCKED))`;
    try {
      return (await this.database.run({ sql, params: [now, limit] })).affected;
    } catch (error) {
      // A migration may have rebuilt the table: the next call looks again.
      this.rest = undefined;
      throw error;
    }
  }

  private *creations({ table, partitions, rest }: Shape, now: number): Generator<() => Promise<unknown>> {
    if (rest === undefined) return;
    const existing = partitions.flatMap(({ bound }) => rangeOf(bound) ?? []);
    const missing = missingBuckets(now, existing);
    for (const bucket of Number(rest.size) > MAX_REST ? wideBucket(now, missing) : missing) {
      const names = { table, rest, bucket: { ...table, name: bucketName(this.prefix, bucket) } };
      yield () => this.execute(attachSql(names, bucket));
    }
  }

  private *drops({ table, partitions, detached }: Shape, now: number): Generator<() => Promise<unknown>> {
    // What was detached last time and not dropped: its name alone says what it holds.
    for (const one of detached) if (this.isOver(one, now)) yield () => this.execute(dropSql(one));
    let dropped = 0;
    for (const one of partitions) {
      const range = rangeOf(one.bound);
      // Ensures by bound and by name that the partition is a bucket of ours and holds nothing live.
      if (!range || !isOver(range, now) || !this.isOver(one, now)) continue;
      if ((dropped += 1) > MAX_DROPPED) return;
      yield () => this.execute(detachSql(table, one));
      yield pause;
      yield () => this.execute(dropSql(one));
      yield pause;
    }
  }

  private isOver({ name }: Relation, now: number): boolean {
    const bucket = bucketNamed(this.prefix, name);
    return bucket !== undefined && isOver(bucket, now);
  }

  private get prefix(): string {
    return `${this.table.name}_b`;
  }

  private async execute(sql: string): Promise<void> {
    await this.database.run({ sql, params: [] });
  }

  private async read(): Promise<Shape> {
    const pattern = `^${this.prefix.replace(/[^A-Za-z0-9_]/g, '.')}[0-9]+$`;
    const { rows } = await this.database.run({ sql: SHAPE_SQL, params: [this.table.path, pattern] });
    const relations = rows.map((row) => row as unknown as Relation & { readonly kind: string; readonly now: string });
    const of = (kind: string): Relation[] => relations.filter((relation) => relation.kind === kind);
    const [first] = relations;
    const [table] = of('table');
    if (!first || !table) throw new TabConfigError(`there is no table ${this.table.path}; run TAB_MIGRATIONS`);
    const partitions = of('partition');
    for (const one of [table, ...partitions]) checkDurable(one);
    const rest = partitions.find(({ bound }) => bound === 'DEFAULT');
    const isOurs = table.key === 'RANGE (expires_at)' && rest !== undefined;
    this.rest = qualified(isOurs ? rest : table);
    return { now: Number(first.now), table, partitions, rest: isOurs ? rest : undefined, detached: of('detached') };
  }
}

/** Ensures that a crash of the server does not empty the table: what it forgot would be accepted again. */
function checkDurable({ name, persistence }: Relation): void {
  if (persistence === 'p') return;
  throw new TabConfigError(
    `${name} is UNLOGGED or temporary: after a crash it is empty, without a sign, and used tokens pass again; ` +
      `write ALTER TABLE ${name} SET LOGGED`,
  );
}

function rangeOf(bound: string | null): Bucket | undefined {
  const found = /^FOR VALUES FROM \('(\d+)'\) TO \('(\d+)'\)$/.exec(bound ?? '');
  return found ? { from: Number(found[1]), to: Number(found[2]) } : undefined;
}
