import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { wholeNumber } from './whole-number.js';

/** A claim in the used-nonce store (PROTOCOL section 6). Written by `TypeOrmNonceStore` only; rows have no other use. */
@Entity({ name: 'tab_used_nonce' })
@Index('ix_tab_used_nonce_expires_at', ['expiresAt'])
export class UsedNonce {
  /** 22 characters of base64url. */
  @PrimaryColumn({ name: 'nonce_key', type: 'varchar', length: 22, primaryKeyConstraintName: 'pk_tab_used_nonce' })
  key!: string;

  /** Seconds since the epoch. */
  @Column({ name: 'expires_at', type: 'bigint', transformer: wholeNumber })
  expiresAt!: number;
}
