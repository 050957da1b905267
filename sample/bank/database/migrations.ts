import { Table, TableIndex, type MigrationInterface, type QueryRunner, type TableColumnOptions } from 'typeorm';
import { hashPassword } from '../auth/passwords.js';
import { Account, User } from './entities.js';

const USERS = [
  { username: 'alice', password: 'alice-secret' },
  { username: 'bob', password: 'bob-secret' },
];

const ACCOUNTS = [
  { id: 'alice-current', owner: 'alice', balance: 10_000_000 },
  { id: 'alice-savings', owner: 'alice', balance: 50_000_000 },
  { id: 'bob-current', owner: 'bob', balance: 10_000_000 },
];

/** The bank's tables. */
export class CreateBankTables1767312000000 implements MigrationInterface {
  readonly name = 'CreateBankTables1767312000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const text = textColumn(queryRunner);
    const cents = (name: string): TableColumnOptions => ({ name, type: 'bigint' });
    const id = { isPrimary: true };
    await create(queryRunner, 'bank_user', [text('username', 64, id), text('password_hash', 255)]);
    const ownerIndex = new TableIndex({ name: 'ix_bank_account_owner', columnNames: ['owner'] });
    await create(queryRunner, 'bank_account', [text('id', 64, id), text('owner', 64), cents('balance')], [ownerIndex]);
    await create(queryRunner, 'bank_transfer', [
      text('id', 36, id),
      text('from_account', 64),
      text('to_account', 64),
      cents('amount'),
      { name: 'created_at', type: 'bigint' },
    ]);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const name of ['bank_transfer', 'bank_account', 'bank_user']) await queryRunner.dropTable(name);
  }
}

/** The users and accounts to try the bank with. A migration, so that they come once, whoever starts first. */
export class SeedBank1767312000001 implements MigrationInterface {
  readonly name = 'SeedBank1767312000001';

  async up({ manager }: QueryRunner): Promise<void> {
    for (const { username, password } of USERS) {
      await manager.insert(User, { username, passwordHash: await hashPassword(password) });
    }
    await manager.insert(Account, ACCOUNTS);
  }

  async down({ manager }: QueryRunner): Promise<void> {
    for (const { id } of ACCOUNTS) await manager.delete(Account, { id });
    for (const { username } of USERS) await manager.delete(User, { username });
  }
}

/** The migrations of the bank itself, in order. */
export const BANK_MIGRATIONS = [CreateBankTables1767312000000, SeedBank1767312000001] as const;

/** Text columns that compare octet by octet: by default MySQL and MariaDB take `A` for `a`. */
function textColumn(queryRunner: QueryRunner) {
  const { type } = queryRunner.manager.connection.options;
  const binary = type === 'mysql' || type === 'mariadb' ? { charset: 'utf8mb4', collation: 'utf8mb4_bin' } : {};
  return (name: string, length: number, more: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
    name,
    type: 'varchar',
    length: String(length),
    ...binary,
    ...more,
  });
}

async function create(
  queryRunner: QueryRunner,
  name: string,
  columns: TableColumnOptions[],
  indices: TableIndex[] = [],
): Promise<void> {
  await queryRunner.createTable(new Table({ name, columns, indices }), false, false, true);
}
