import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { AppInstance as AppInstanceRecord, InstanceStatus } from '../../../bindings/binding.types.js';
import type { PublicJwk, TabAlgorithm } from '../../../token/claims.types.js';
import type { Assurance } from '../../../trust/assurance.js';
import { wholeNumber } from './whole-number.js';

/**
 * An enrolled app instance, as a table. For reading and for the schema: the rules of `BindingStore` (revisions, revocation
 * for ever) are kept by `TypeOrmBindingStore`, not by this class. Times are seconds since the epoch.
 */
@Entity({ name: 'tab_app_instance' })
@Index('ix_tab_app_instance_app', ['appId', 'id'])
@Index('ix_tab_app_instance_status', ['status', 'id'])
@Index('ix_tab_app_instance_format', ['format', 'createdAt'])
export class AppInstance implements AppInstanceRecord {
  @PrimaryColumn({ name: 'id', type: 'varchar', length: 43, primaryKeyConstraintName: 'pk_tab_app_instance' })
  id!: string;

  @Column({ name: 'app_id', type: 'varchar', length: 128 })
  appId!: string;

  @Column({ name: 'app_version', type: 'varchar', length: 255 })
  appVersion!: string;

  @Column({ name: 'platform', type: 'varchar', length: 32 })
  platform!: string;

  @Column({ name: 'algorithm', type: 'varchar', length: 16 })
  algorithm!: TabAlgorithm;

  @Column({ name: 'public_key', type: 'simple-json' })
  publicKey!: PublicJwk;

  @Column({ name: 'status', type: 'varchar', length: 16 })
  status!: InstanceStatus;

  @Column({ name: 'status_reason', type: 'varchar', length: 200, nullable: true })
  statusReason!: string | null;

  @Column({ name: 'status_at', type: 'bigint', transformer: wholeNumber })
  statusAt!: number;

  @Column({ name: 'suspended_by', type: 'simple-json' })
  suspendedBy!: string[];

  @Column({ name: 'assurance', type: 'varchar', length: 16 })
  assurance!: Assurance;

  @Column({ name: 'format', type: 'varchar', length: 64 })
  format!: string;

  @Column({ name: 'attested_at', type: 'bigint', transformer: wholeNumber })
  attestedAt!: number;

  @Column({ name: 'attestation_expires_at', type: 'bigint', transformer: wholeNumber })
  attestationExpiresAt!: number;

  @Column({ name: 'attestation_claims', type: 'simple-json' })
  attestationClaims!: Record<string, unknown>;

  @Column({ name: 'created_at', type: 'bigint', transformer: wholeNumber })
  createdAt!: number;

  @Column({ name: 'revision', type: 'int' })
  revision!: number;
}
