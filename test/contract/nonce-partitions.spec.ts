import type { DataSource } from 'typeorm';
import { expect, it, vi } from 'vitest';
import { aKey } from '../../lib/testing/contract/factories.js';
import { engine } from './engines.js';
import { claimAll, count, keys, onPartitions, spent, type Partitions } from './nonce-partitions.js';

const HOUR = 3600;

for (const name of ['PostgreSQL', 'SQLite file']) {
  await onPartitions(engine(name), (context) => {
    withBuckets(context);
    everywhere(context);
  });
}
await onPartitions(engine('MariaDB'), (context) => {
  everywhere(context);

  it('a table in memory fails the start', async () => {
    const { first } = context();
    await first.dataSource.query('ALTER TABLE tab_used_nonce ENGINE = MEMORY');
    await expect(first.store.open?.()).rejects.toThrow(/MEMORY.*InnoDB/);
    await first.dataSource.query('ALTER TABLE tab_used_nonce ENGINE = InnoDB');
    await first.store.open?.();
  });
});

function withBuckets(context: () => Partitions): void {
  it('opening makes buckets ahead for more than twenty minutes of claims, and sweeping goes on with it', async () => {
    const { first, now, buckets } = context();
    await first.store.open?.();
    const made = await buckets();
    expect(made[0]).toBeLessThanOrEqual(now);
    expect(made.at(-1)).toBeGreaterThanOrEqual(now + 20 * 60 + 360);
    expect(new Set(made.map((from, index) => from - (made[0] ?? 0) - 60 * index))).toEqual(new Set([0]));
    await first.store.sweep(now + 600, 100);
    expect((await buckets()).at(-1)).toBe((made.at(-1) ?? 0) + 600);
    // What is there is left alone.
    await first.store.open?.();
    expect(await buckets()).toHaveLength(made.length + 10);
  });

  it('a key that was claimed before its bucket was made loses after it, on every node', async () => {
    const { first, now, connect, buckets } = context();
    const second = await connect();
    const wanted = keys(50);
    expect(count(await claimAll(first.store, wanted, now + 180))).toBe(50);
    expect(await buckets()).toEqual([]);
    await second.store.open?.();
    expect(await buckets()).not.toEqual([]);
    for (const { store } of [first, second]) {
      expect(count(await claimAll(store, wanted, now + 180))).toBe(0);
      for (const key of wanted.slice(0, 3)) expect(await store.claim(key, now + 180)).toBe(false);
    }
    const [rest] = await first.dataSource.query('SELECT COUNT(*) AS n FROM tab_used_nonce');
    expect(Number(rest.n)).toBeLessThanOrEqual(50);
  });

  it('claims with copies on three nodes, while three maintainers make buckets: each key wins once, none fails', async () => {
    const { first, now, connect } = context();
    const nodes = [first, await connect(), await connect()];
    const wins = new Map<string, number>();
    let claiming = true;
    const claims = async (node: number): Promise<void> => {
      const { store } = nodes[node] ?? first;
      // All nodes claim the same keys, in bursts, over several buckets.
      for (let round = 0; claiming || round % 40 !== 0; round += 1) {
        const wanted = Array.from({ length: 40 }, (_, index) => `${round}x${index}`.padStart(22, 'k'));
        const won = await Promise.all(wanted.map((key, index) => store.claim(key, now + 60 * (1 + (index % 5)))));
        for (const [index, key] of wanted.entries()) if (won[index]) wins.set(key, (wins.get(key) ?? 0) + 1);
      }
    };
    const running = Promise.all(nodes.map((_, node) => claims(node)));
    await vi.waitFor(() => expect(wins.size).toBeGreaterThan(100), { timeout: 20_000 });
    await Promise.all(nodes.map(async ({ store }) => store.open?.()));
    for (const { store } of nodes) await store.sweep(now + 120, 500);
    const before = wins.size;
    await vi.waitFor(() => expect(wins.size).toBeGreaterThan(before + 200), { timeout: 20_000 });
    claiming = false;
    await running;
    expect([...new Set(wins.values())]).toEqual([1]);
    // The five that claims go to are passed over where there are too many rows to move at once.
    expect((await context().buckets()).length).toBeGreaterThanOrEqual(25);
  });

  it('what has expired goes with its bucket, and with nothing else', async () => {
    const { first, now, buckets } = context();
    await first.store.sweep(now - HOUR, 100);
    const old = await buckets();
    // On PostgreSQL the table itself knows where they belong.
    const own = first.dataSource.options.type === 'postgres' ? undefined : `tab_used_nonce_b${old[0]}`;
    await spent(first, keys(30), old[0] ?? 0, own);
    const live = keys(30);
    expect(count(await claimAll(first.store, live, now + 180))).toBe(30);
    await first.store.sweep(now, 100);
    const left = await buckets();
    // A bucket outlives what is in it by a minute.
    expect(left[0]).toBeGreaterThan(Math.max(now - 180, old.at(-1) ?? 0));
    expect(left).toHaveLength(30);
    expect(count(await claimAll(first.store, live, now + 180))).toBe(0);
    const [{ n }] = await first.dataSource.query(`SELECT COUNT(*) AS n FROM tab_used_nonce WHERE expires_at < ${now}`);
    expect(Number(n)).toBe(0);
  });

  it('a clock that is years ahead makes no end of buckets', async () => {
    const { first, now, buckets } = context();
    for (let day = 0; day < 15; day += 1) await first.store.sweep(now + day * 24 * HOUR, 100);
    expect((await buckets()).length).toBeLessThanOrEqual(240);
    expect(await first.store.claim(aKey(), now + 180)).toBe(true);
  });
}

function everywhere(context: () => Partitions): void {
  it('keys far ahead of all buckets stay claimed', async () => {
    const { first, now } = context();
    const far = keys(20);
    expect(count(await claimAll(first.store, far, now + 30 * 24 * HOUR))).toBe(20);
    await first.store.open?.();
    await first.store.sweep(now, 100);
    await first.store.sweep(now + 60, 100);
    expect(count(await claimAll(first.store, far, now + 30 * 24 * HOUR))).toBe(0);
    expect(await first.store.claim(aKey(), 2 ** 53 - 1)).toBe(true);
  });

  it('rows that expired without a bucket are deleted, no more than asked for', async () => {
    const { first, now } = context();
    await spent(first, keys(25), now - 7 * HOUR);
    expect([
      await first.store.sweep(now, 10),
      await first.store.sweep(now, 10),
      await first.store.sweep(now, 10),
    ]).toEqual([10, 10, 5]);
  });

  it('the exploit: a node whose clock goes back presents what has expired and was forgotten', async () => {
    const { first, now } = context();
    await first.store.open?.();
    const late = { code: 'store_unavailable', detail: expect.stringContaining('clock of the database') };
    await expect(first.store.claim(aKey(), now - 1)).rejects.toMatchObject(late);
    const many = await Promise.allSettled(keys(40).map((key) => first.store.claim(key, now - HOUR)));
    expect(new Set(many.map(({ status }) => status))).toEqual(new Set(['rejected']));
    // What is there is a copy, whatever the time.
    const [key] = keys(1) as [string];
    expect(await first.store.claim(key, now + 180)).toBe(true);
    expect(await first.store.claim(key, now + 180)).toBe(false);
  });

  it('a clock that is ahead drops nothing that is live by the clock of the server', async () => {
    const { first, now } = context();
    await first.store.open?.();
    const [live, far] = [keys(20), keys(20)];
    await claimAll(first.store, live, now + 180);
    await claimAll(first.store, far, now + HOUR);
    await first.store.sweep(now + 2 * HOUR, 100);
    expect(count(await claimAll(first.store, live, now + 180))).toBe(0);
    expect(count(await claimAll(first.store, far, now + HOUR))).toBe(0);
  });

  it('a table that is not partitioned works as it did', async () => {
    const { first, now } = context();
    await first.dataSource.undoLastMigration();
    await first.store.open?.();
    const live = keys(5);
    expect(count(await claimAll(first.store, live, now + 180))).toBe(5);
    await spent(first, keys(5), now - HOUR);
    expect([await first.store.sweep(now, 3), await first.store.sweep(now, 3)]).toEqual([3, 2]);
    expect(count(await claimAll(first.store, live, now + 180))).toBe(0);
    await first.dataSource.runMigrations();
    await first.store.open?.();
    expect(count(await claimAll(first.store, live, now + 180))).toBe(0);
  });
}

await onPartitions(engine('PostgreSQL'), (context) => {
  it('a lock that is held puts maintenance off, and nothing else', async () => {
    const { first, now, connect, buckets } = context();
    await first.store.sweep(now - HOUR, 100);
    const old = await buckets();
    const holder = (await connect()).dataSource.createQueryRunner();
    await holder.startTransaction();
    await holder.query('SELECT 1 FROM tab_used_nonce LIMIT 1');
    await first.store.sweep(now, 100);
    expect(await buckets()).toEqual(expect.arrayContaining([...old]));
    expect(count(await claimAll(first.store, keys(20), now + 180))).toBe(20);
    await holder.rollbackTransaction();
    await holder.release();
    await first.store.sweep(now + 1, 100);
    expect((await buckets())[0]).toBeGreaterThan(now - 180);
    expect((await buckets()).at(-1)).toBeGreaterThan(now + 20 * 60);
  });

  it('while another node maintains, a node does nothing', async () => {
    const { first, now, connect, buckets } = context();
    const other = (await connect()).dataSource.createQueryRunner();
    await other.startTransaction();
    await other.query(
      `SELECT pg_advisory_xact_lock((${0x7461626e}::bigint << 32) | 'tab_used_nonce'::regclass::oid::bigint)`,
    );
    await first.store.sweep(now, 100);
    expect(await buckets()).toEqual([]);
    await other.rollbackTransaction();
    await other.release();
    await first.store.sweep(now + 1, 100);
    expect(await buckets()).not.toEqual([]);
  });

  it('a bucket that was detached by a node that died is dropped by the next; tables of others are not', async () => {
    const { first, now } = context();
    const past = now - (now % 60) - HOUR;
    const names = [`b${past}`, `b${past + 1}`, `b${past}x`, `b${past + 2 * HOUR}`, 'backup'];
    for (const name of names) await first.dataSource.query(`CREATE TABLE tab_used_nonce_${name} (n int)`);
    await first.store.sweep(now, 100);
    const left: { name: string }[] = await first.dataSource.query(
      `SELECT relname AS name FROM pg_class WHERE relname LIKE 'tab_used_nonce_b%' AND relkind = 'r' AND NOT relispartition`,
    );
    expect(left.map(({ name }) => name).sort()).toEqual(
      names
        .slice(1)
        .map((name) => `tab_used_nonce_${name}`)
        .sort(),
    );
    for (const { name } of left) await first.dataSource.query(`DROP TABLE ${name}`);
  });

  it('a table that a crash would empty fails the start, whichever part of it', async () => {
    const { first } = context();
    await first.store.open?.();
    const [part] = await context().buckets();
    await first.dataSource.query(`ALTER TABLE tab_used_nonce_b${part} SET UNLOGGED`);
    await expect(first.store.open?.()).rejects.toThrow(/tab_used_nonce_b\d+ is UNLOGGED.*SET LOGGED/);
    await expect(first.store.open?.()).rejects.toMatchObject({ name: 'TabConfigError' });
    await first.dataSource.query(`ALTER TABLE tab_used_nonce_b${part} SET LOGGED`);
    await first.store.open?.();
    await first.dataSource.undoLastMigration();
    await first.dataSource.query('ALTER TABLE tab_used_nonce SET UNLOGGED');
    await expect(first.store.open?.()).rejects.toThrow(/tab_used_nonce is UNLOGGED/);
    // The rebuild of the migration is durable.
    await first.dataSource.runMigrations();
    await first.store.open?.();
  });

  it('maintenance that fails is told by sweep, and by no claim', async () => {
    const { first, now } = context();
    await first.dataSource.query(
      `CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'`,
    );
    await first.dataSource.query(`CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION refuse()`);
    await first.store.open?.();
    await expect(first.store.sweep(now, 100)).rejects.toMatchObject({ code: 'store_unavailable' });
    await spent(first, keys(5), now - HOUR);
    expect(count(await claimAll(first.store, keys(20), now + 180))).toBe(20);
    await expect(first.store.sweep(now, 100)).rejects.toThrow();
    const [{ n }] = await first.dataSource.query(`SELECT COUNT(*) AS n FROM tab_used_nonce WHERE expires_at < ${now}`);
    expect(Number(n)).toBe(0);
    await first.dataSource.query('DROP EVENT TRIGGER refuse');
    await first.dataSource.query('DROP FUNCTION refuse()');
  });

  it('a table that is rebuilt under a running server is found again', async () => {
    const { first, now } = context();
    await first.store.open?.();
    await first.dataSource.undoLastMigration();
    await spent(first, keys(5), now - HOUR);
    await expect(first.store.sweep(now, 100)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await first.store.sweep(now, 100)).toBe(5);
    await first.dataSource.runMigrations();
    await spent(first, keys(5), now - HOUR);
    await first.store.sweep(now + 1, 100);
    expect(await first.store.sweep(now + 1, 100)).toBe(5);
  });

  it('the migration puts live claims into buckets at once', async () => {
    const { first, now, buckets } = context();
    await first.dataSource.undoLastMigration();
    const live = keys(20);
    await claimAll(first.store, live, now + 180);
    await first.dataSource.runMigrations();
    expect(await buckets()).toHaveLength(30);
    expect(await first.dataSource.query('SELECT 1 FROM tab_used_nonce_default')).toEqual([]);
    expect(count(await claimAll(first.store, live, now + 180))).toBe(0);
  });

  it('beside a large DEFAULT partition one wide bucket is made, and dropped when all of it is over', async () => {
    const { first, now, buckets } = context();
    const past = now - 2 * HOUR;
    await first.dataSource.query('ALTER TABLE tab_used_nonce ADD COLUMN note text NULL');
    await first.dataSource.query('ALTER TABLE tab_used_nonce_default ALTER COLUMN note SET STORAGE PLAIN');
    await first.dataSource.query(
      `INSERT INTO tab_used_nonce (expires_at, nonce_key, note) SELECT 4102444800, lpad(n::text, 22, '0'), repeat('x', 7000) FROM generate_series(1, 8500) n`,
    );
    await first.store.sweep(past, 100);
    const [from, ...more] = await buckets();
    expect(more).toEqual([]);
    expect(from).toBe(past - (past % 60) + 600 + (past % 60 === 0 ? 0 : 60));
    const key = aKey();
    await spent(first, [key], (from ?? 0) + 900);
    expect(await first.store.claim(key, (from ?? 0) + 900)).toBe(false);
    await first.dataSource.query('DELETE FROM ONLY tab_used_nonce_default');
    await first.dataSource.query('VACUUM tab_used_nonce_default');
    await first.store.sweep(now, 100);
    expect((await buckets())[0]).toBe(now - (now % 60));
  });

  it('what is in the way of buckets keeps no old rows, and is told when they are gone', async () => {
    const { first, now } = context();
    const old = keys(1200);
    await spent(first, old, now - 5 * HOUR);
    const { expiry } = first.store as unknown as { expiry: { maintain(now: number): Promise<void> } };
    vi.spyOn(expiry, 'maintain').mockRejectedValue(Object.assign(new Error('denied'), { code: '42501' }));
    expect(await first.store.sweep(now, 500)).toBe(500);
    expect(await first.store.sweep(now, 500)).toBe(500);
    await expect(first.store.sweep(now, 500)).rejects.toMatchObject({ code: 'store_unavailable' });
    const [left] = await first.dataSource.query(`SELECT COUNT(*) AS n FROM tab_used_nonce WHERE expires_at < ${now}`);
    expect(Number(left.n)).toBe(0);
    vi.restoreAllMocks();
  });

  it('roles that may use the table may use it after the migration too', async () => {
    const { first } = context();
    await first.dataSource.undoLastMigration();
    const role = `tab_role_${process.pid}`;
    await first.dataSource.query(`CREATE ROLE ${role}`);
    await first.dataSource.query(`GRANT SELECT, INSERT, DELETE ON tab_used_nonce TO ${role}`);
    await first.dataSource.runMigrations();
    const may = () =>
      first.dataSource.query(
        `SELECT has_table_privilege('${role}', 'tab_used_nonce', 'INSERT') AS own, has_table_privilege('${role}', 'tab_used_nonce', 'UPDATE') AS no`,
      );
    expect(await may()).toEqual([{ own: true, no: false }]);
    await first.dataSource.undoLastMigration();
    expect(await may()).toEqual([{ own: true, no: false }]);
    await first.dataSource.query(`DROP OWNED BY ${role}`);
    await first.dataSource.query(`DROP ROLE ${role}`);
    await first.dataSource.runMigrations();
  });
});

await onPartitions(engine('SQLite file'), (context) => {
  it('a bucket of very many rows is deleted in steps, between which others come in, and then dropped', async () => {
    const { first, now, buckets } = context();
    await first.store.sweep(now - HOUR, 100);
    const [from] = await buckets();
    await first.dataSource.query(
      `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 235000) ` +
        `INSERT INTO tab_used_nonce_b${from} (nonce_key, expires_at) SELECT printf('%022d', n), ${from} + n % 60 FROM c`,
    );
    const swept = first.store.sweep(now, 100).then(() => 'swept');
    const turn = async (): Promise<string> => {
      for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve));
      return 'others';
    };
    expect(await Promise.race([swept, turn()])).toBe('others');
    await swept;
    expect((await buckets())[0]).toBeGreaterThan(now - 180);
  });

  it('the exploit: the clock of the machine goes back, and nothing wins that a bucket held which is gone', async () => {
    const { first, now, connect } = context();
    const from = now - (now % 60) - HOUR;
    await first.store.sweep(from, 100);
    await spent(first, keys(5), from, `tab_used_nonce_b${from}`);
    await first.store.sweep(from + 5 * 60, 100);
    // Whatever the clock says now: each process reads the mark that is left.
    const second = await connect();
    for (const { dataSource, store } of [first, second]) {
      setClock(dataSource, from - 10);
      await expect(store.claim(aKey(), from + 59)).rejects.toMatchObject({ code: 'store_unavailable' });
      await expect(store.claim(aKey(), from - 5)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(await store.claim(aKey(), from + 6 * 60)).toBe(true);
    }
    const marks = await first.dataSource.query(`SELECT 1 FROM sqlite_master WHERE name GLOB 'tab_used_nonce_o*'`);
    expect(marks).toHaveLength(1);
  });

  it('the exploit: the same for rows that are in no bucket', async () => {
    const { first, now, connect } = context();
    const from = now - (now % 60) - HOUR;
    await first.dataSource.query('ALTER TABLE tab_used_nonce ADD COLUMN note text');
    await spent(first, keys(5), from);
    expect(await first.store.sweep(from + 61, 3)).toBe(3);
    expect(await first.store.sweep(from + 61, 3)).toBe(2);
    const second = await connect();
    for (const { dataSource, store } of [first, second]) {
      setClock(dataSource, from - 10);
      await expect(store.claim(aKey(), from)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(await store.claim(aKey(), from + 60)).toBe(true);
    }
  });

  it('a clock far ahead marks no more than it deletes, so that claims win again once it is right', async () => {
    const { first, now } = context();
    const from = now - (now % 60);
    await first.dataSource.query('ALTER TABLE tab_used_nonce ADD COLUMN note text');
    const [key = ''] = keys(1);
    await spent(first, [key], from + 59);
    const YEARS = 10 * 365 * 24 * HOUR;
    setClock(first.dataSource, now + YEARS);
    expect(await first.store.sweep(now + YEARS, 100)).toBe(1);
    setClock(first.dataSource, now);
    await expect(first.store.claim(key, from + 59)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await first.store.claim(aKey(), from + 60)).toBe(true);
  });

  it('what one sweep leaves for the next is not marked as gone before it is', async () => {
    const { first, now } = context();
    const from = now - (now % 60) - HOUR;
    await first.dataSource.query('ALTER TABLE tab_used_nonce ADD COLUMN note text');
    await spent(first, keys(3), from);
    await spent(first, keys(2), from + 600);
    setClock(first.dataSource, now);
    expect(await first.store.sweep(now, 3)).toBe(3);
    setClock(first.dataSource, from - 10);
    expect(await first.store.claim(aKey(), from + 60)).toBe(true);
    setClock(first.dataSource, now);
    expect(await first.store.sweep(now, 3)).toBe(3);
    setClock(first.dataSource, from - 10);
    await expect(first.store.claim(aKey(), from + 600)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await first.store.claim(aKey(), from + 660)).toBe(true);
  });

  it('rows that are in no bucket stay until the mark can name the bucket that they would be in', async () => {
    const { first, now } = context();
    const from = now - (now % 60) - HOUR;
    await first.dataSource.query('ALTER TABLE tab_used_nonce ADD COLUMN note text');
    await spent(first, keys(1), from);
    expect(await first.store.sweep(from + 59, 3)).toBe(0);
    expect(await first.store.sweep(from + 60, 3)).toBe(1);
  });

  it('a bucket of which many claims wait beside it is not made, and they stay claimed', async () => {
    const { first, now, buckets } = context();
    const from = now - (now % 60) + 120;
    const wanted = keys(1001);
    expect(count(await claimAll(first.store, wanted, from))).toBe(1001);
    await first.store.open?.();
    expect(await buckets()).not.toContain(from);
    expect(await buckets()).toHaveLength(29);
    expect(count(await claimAll(first.store, wanted, from))).toBe(0);
  });

  it('a table of which nothing is known but its name is left alone', async () => {
    const { first, now } = context();
    await first.dataSource.query(`CREATE TABLE tab_used_nonce_backup (n int)`);
    const odd = now - (now % 60) + 241;
    await first.dataSource.query(`CREATE TABLE tab_used_nonce_b${odd} (n int)`);
    await first.store.sweep(now, 100);
    expect(await first.store.claim(aKey(), odd)).toBe(true);
    await first.dataSource.query(`DROP TABLE tab_used_nonce_backup`);
    await first.dataSource.query(`DROP TABLE tab_used_nonce_b${odd}`);
  });
});

/** Lets SQLite read another time, as if that of the machine had been set. */
function setClock(dataSource: DataSource, now: number): void {
  const { databaseConnection } = dataSource.driver as unknown as {
    databaseConnection: { function(name: string, options: { varargs: true }, run: () => string): void };
  };
  databaseConnection.function('strftime', { varargs: true }, () => String(now));
}
