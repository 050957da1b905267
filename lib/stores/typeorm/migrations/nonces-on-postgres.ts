import type { QueryRunner } from 'typeorm';
import { tableName } from './table-builder.js';

/** Columns of the application's own are kept, with their defaults and checks. */
const LIKE = 'INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS';

/** A table partitioned by expiry: a DEFAULT partition, and the buckets of claims that are live by now, for their rows. */
export async function postgresUp(queryRunner: QueryRunner): Promise<void> {
  const { table, before, rest, bucket } = namesOf(queryRunner);
  await queryRunner.query(`ALTER TABLE ${table.path} RENAME TO ${before.name}`);
  // The names of keys and indices are one per schema.
  await queryRunner.query(`ALTER TABLE ${before.path} DROP CONSTRAINT pk_tab_used_nonce`);
  await queryRunner.query(
    `CREATE TABLE ${table.path} (LIKE ${before.path} ${LIKE}, ` +
      `CONSTRAINT pk_tab_used_nonce PRIMARY KEY (expires_at, nonce_key)) PARTITION BY RANGE (expires_at)`,
  );
  await queryRunner.query(`CREATE TABLE ${rest.path} PARTITION OF ${table.path} DEFAULT`);
  await queryRunner.query(firstBuckets(table.path, bucket.path));
  await queryRunner.query(`INSERT INTO ${table.path} SELECT * FROM ${before.path}`);
  // Rows without a bucket are deleted from the partition itself.
  for (const { path } of [table, rest]) await queryRunner.query(copyGrants(before.path, path));
  await queryRunner.query(`DROP TABLE ${before.path}`);
}

/** The plain table that was there before. */
export async function postgresDown(queryRunner: QueryRunner): Promise<void> {
  const { table, before } = namesOf(queryRunner);
  await queryRunner.query(`ALTER TABLE ${table.path} RENAME TO ${before.name}`);
  await queryRunner.query(`ALTER TABLE ${before.path} DROP CONSTRAINT pk_tab_used_nonce`);
  await queryRunner.query(
    `CREATE TABLE ${table.path} (LIKE ${before.path} ${LIKE}, CONSTRAINT pk_tab_used_nonce PRIMARY KEY (nonce_key))`,
  );
  // Of two rows with one key, which no version of ours writes, the one that lives longer is kept.
  await queryRunner.query(
    `INSERT INTO ${table.path} SELECT * FROM ${before.path} ORDER BY expires_at DESC ON CONFLICT DO NOTHING`,
  );
  await queryRunner.query(`CREATE INDEX ix_tab_used_nonce_expires_at ON ${table.path} (expires_at)`);
  await queryRunner.query(copyGrants(before.path, table.path));
  await queryRunner.query(`DROP TABLE ${before.path}`);
}

interface Name {
  readonly name: string;
  readonly path: string;
}

function namesOf(queryRunner: QueryRunner): Record<'table' | 'before' | 'rest' | 'bucket', Name> {
  const { driver, options } = queryRunner.manager.connection;
  const schema = 'schema' in options && typeof options.schema === 'string' ? [options.schema] : [];
  const named = (suffix: string): Name => {
    const name = tableName(queryRunner, `tab_used_nonce${suffix}`);
    return { name: driver.escape(name), path: [...schema, name].map((part) => driver.escape(part)).join('.') };
  };
  return { table: named(''), before: named('_before'), rest: named('_default'), bucket: named('_b0') };
}

/** Buckets of a minute for the next half hour by the clock of the server, named as the stores name them. */
function firstBuckets(table: string, bucketZero: string): string {
  const [parent, own] = [table, bucketZero].map((path) => path.replaceAll("'", "''"));
  return (
    `DO $tab$ DECLARE start bigint := floor(extract(epoch FROM clock_timestamp()) / 60)::bigint * 60; BEGIN ` +
    `FOR index IN 0..29 LOOP EXECUTE 'CREATE TABLE ' || regexp_replace('${own}', '0"$', (start + 60 * index) || '"') || ` +
    `' PARTITION OF ${parent} FOR VALUES FROM (' || (start + 60 * index) || ') TO (' || (start + 60 * index + 60) || ')'; END LOOP; END $tab$`
  );
}

/** What the roles of the application may do with one table, given to them for another. */
function copyGrants(from: string, to: string): string {
  return (
    `DO $tab$ DECLARE one record; BEGIN FOR one IN ` +
    `SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role, privilege_type AS what, ` +
    `CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS more ` +
    `FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = '${from.replaceAll("'", "''")}'::regclass AND grantee <> relowner ` +
    `LOOP EXECUTE 'GRANT ' || one.what || ' ON ${to.replaceAll("'", "''")} TO ' || one.role || one.more; END LOOP; END $tab$`
  );
}
