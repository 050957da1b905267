import type { DataSource, EntityMetadata } from 'typeorm';
import { TabConfigError } from '../../../errors/tab-error.js';

/** Character set of the text columns on MySQL and MariaDB. */
export const MYSQL_CHARSET = 'utf8mb4';
/** Collation of the text columns: the default ones take `a` for `A`, and with it one nonce for another. */
export const MYSQL_COLLATION = 'utf8mb4_bin';

/**
 * Ensures that no text column of the TAB tables compares case-insensitively. TypeORM's `synchronize` cannot be told a
 * collation that the other engines accept too, and does not compare collations afterwards: where it made the tables,
 * the columns are converted here, once; otherwise the start fails.
 *
 * @param isOurs which columns are looked at: those that the application added to our tables are its own affair
 * @throws TabConfigError when a column has another collation and the schema is not ours to change
 */
export async function checkMysqlCollations(
  dataSource: DataSource,
  tables: readonly string[],
  isOurs: (property: string) => boolean = () => true,
): Promise<void> {
  const metadatas = dataSource.entityMetadatas.filter((metadata) => tables.includes(metadata.tablePath));
  for (const metadata of metadatas) {
    const ours = new Set(
      metadata.columns.filter(({ propertyName }) => isOurs(propertyName)).map(({ databaseName }) => databaseName),
    );
    const wrong = (await wrongColumns(dataSource, metadata)).filter((name) => ours.has(name));
    if (wrong.length === 0) continue;
    if (!dataSource.options.synchronize) {
      throw new TabConfigError(
        `${metadata.tablePath}.${wrong.join(', ')}: not of collation ${MYSQL_COLLATION}; create the tables with TAB_MIGRATIONS`,
      );
    }
    await dataSource.query(conversion(dataSource, metadata, wrong));
  }
}

async function wrongColumns(dataSource: DataSource, metadata: EntityMetadata): Promise<string[]> {
  const rows: { name: string }[] = await dataSource.query(
    'SELECT column_name AS name FROM information_schema.columns WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? ' +
      'AND collation_name IS NOT NULL AND NOT (collation_name = ?)',
    [metadata.database ?? null, metadata.tableName, MYSQL_COLLATION],
  );
  return rows.map((row) => row.name);
}

/** One ALTER TABLE that gives the named columns the character set and collation and leaves all else as the entity says. */
function conversion(dataSource: DataSource, metadata: EntityMetadata, names: readonly string[]): string {
  const escape = (name: string): string => dataSource.driver.escape(name);
  const changes = metadata.columns
    .filter((column) => names.includes(column.databaseName))
    .map((column) => {
      const type = dataSource.driver.normalizeType(column);
      const length = column.length ? `(${column.length})` : '';
      const charset = `CHARACTER SET ${MYSQL_CHARSET} COLLATE ${MYSQL_COLLATION}`;
      return `MODIFY ${escape(column.databaseName)} ${type}${length} ${charset} ${column.isNullable ? 'NULL' : 'NOT NULL'}`;
    });
  return `ALTER TABLE ${metadata.tablePath.split('.').map(escape).join('.')} ${changes.join(', ')}`;
}
