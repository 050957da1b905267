import { Entity, PrimaryColumn } from 'typeorm';
import { wholeNumber } from './whole-number.js';

/**
 * A claim in the used-nonce store (PROTOCOL section 6). Written by `TypeOrmNonceStore` only; rows have no other use.
 *
 * The expiry comes first in the primary key: what expires together lies together, so that it is found and removed without
 * an index of its own. A key always comes with one expiry, so both are as unique as the key alone.
 */
@Entity({ name: 'tab_used_nonce', withoutRowid: true })
export class UsedNonce {
  /** Seconds since the epoch. */
  @PrimaryColumn({
    name: 'expires_at',
    type: 'bigint',
    transformer: wholeNumber,
    primaryKeyConstraintName: 'pk_tab_used_nonce',
  })
  expiresAt!: number;

  /** 22 characters of base64url. */
  @PrimaryColumn({ name: 'nonce_key', type: 'varchar', length: 22, primaryKeyConstraintName: 'pk_tab_used_nonce' })
  key!: string;
}
