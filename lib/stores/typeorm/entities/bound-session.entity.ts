import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { BoundSession as BoundSessionRecord } from '../../../bindings/binding.types.js';
import { wholeNumber } from './whole-number.js';

/**
 * A user session bound to an instance, as a table. For reading and for the schema: the rules of `BindingStore` are kept by
 * `TypeOrmBindingStore`, not by this class. Times are seconds since the epoch.
 */
@Entity({ name: 'tab_bound_session' })
@Index('uq_tab_bound_session_credential', ['credentialHash'], { unique: true })
@Index('ix_tab_bound_session_previous', ['previousCredentialHash'])
@Index('ix_tab_bound_session_instance', ['instanceId'])
@Index('ix_tab_bound_session_subject', ['subject'])
@Index('ix_tab_bound_session_expires_at', ['expiresAt'])
@Index('ix_tab_bound_session_ended_at', ['endedAt'])
export class BoundSession implements BoundSessionRecord {
  @PrimaryColumn({ name: 'id', type: 'varchar', length: 64, primaryKeyConstraintName: 'pk_tab_bound_session' })
  id!: string;

  @Column({ name: 'instance_id', type: 'varchar', length: 43 })
  instanceId!: string;

  @Column({ name: 'subject', type: 'varchar', length: 255 })
  subject!: string;

  @Column({ name: 'credential_hash', type: 'varchar', length: 43, nullable: true })
  credentialHash!: string | null;

  @Column({ name: 'previous_credential_hash', type: 'varchar', length: 43, nullable: true })
  previousCredentialHash!: string | null;

  @Column({ name: 'previous_valid_until', type: 'bigint', nullable: true, transformer: wholeNumber })
  previousValidUntil!: number | null;

  @Column({ name: 'created_at', type: 'bigint', transformer: wholeNumber })
  createdAt!: number;

  @Column({ name: 'expires_at', type: 'bigint', transformer: wholeNumber })
  expiresAt!: number;

  @Column({ name: 'ended_at', type: 'bigint', nullable: true, transformer: wholeNumber })
  endedAt!: number | null;

  @Column({ name: 'end_reason', type: 'varchar', length: 200, nullable: true })
  endReason!: string | null;
}
