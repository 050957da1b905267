import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Servers give `bigint` as text; amounts here stay far below 2^53. */
const WHOLE_NUMBER = { to: (value: number) => value, from: Number };

/** Somebody who can log in. */
@Entity('bank_user')
export class User {
  @PrimaryColumn('varchar', { length: 64 })
  username!: string;

  /** See `auth/passwords.ts`. */
  @Column('varchar', { name: 'password_hash', length: 255 })
  passwordHash!: string;
}

/** Money of one user. */
@Entity('bank_account')
@Index('ix_bank_account_owner', ['owner'])
export class Account {
  @PrimaryColumn('varchar', { length: 64 })
  id!: string;

  @Column('varchar', { length: 64 })
  owner!: string;

  /** Cents, never below 0. */
  @Column('bigint', { transformer: WHOLE_NUMBER })
  balance!: number;
}

/** Money that was moved. */
@Entity('bank_transfer')
export class Transfer {
  @PrimaryColumn('varchar', { length: 36 })
  id!: string;

  @Column('varchar', { name: 'from_account', length: 64 })
  from!: string;

  @Column('varchar', { name: 'to_account', length: 64 })
  to!: string;

  /** Cents, above 0. */
  @Column('bigint', { transformer: WHOLE_NUMBER })
  amount!: number;

  /** Seconds since the epoch. */
  @Column('bigint', { name: 'created_at', transformer: WHOLE_NUMBER })
  createdAt!: number;
}

/** The entities of the bank itself. */
export const BANK_ENTITIES = [User, Account, Transfer] as const;
