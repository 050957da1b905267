import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { DecisionCategory } from '../../../trust/trust-decision.js';
import { wholeNumber } from '../entities/whole-number.js';

/**
 * The record of a decision, as a table. For reading and for the schema: written by `TypeOrmDecisionStore`. Never holds a
 * token, credential, key or secret.
 */
@Entity({ name: 'tab_decision' })
@Index('ix_tab_decision_decided_at', ['at', 'id'])
export class DecisionRecord {
  @PrimaryColumn({ name: 'id', type: 'varchar', length: 64, primaryKeyConstraintName: 'pk_tab_decision' })
  id!: string;

  /** Milliseconds since the epoch. */
  @Column({ name: 'decided_at', type: 'bigint', transformer: wholeNumber })
  at!: number;

  @Column({ name: 'outcome', type: 'varchar', length: 16 })
  outcome!: 'accepted' | 'refused';

  /** 1 or 0; 0 in monitor mode. */
  @Column({ name: 'enforced', type: 'int' })
  enforced!: number;

  @Column({ name: 'category', type: 'varchar', length: 32 })
  category!: DecisionCategory;

  @Column({ name: 'code', type: 'varchar', length: 64, nullable: true })
  code!: string | null;

  @Column({ name: 'detail', type: 'varchar', length: 500, nullable: true })
  detail!: string | null;

  @Column({ name: 'method', type: 'varchar', length: 32 })
  method!: string;

  @Column({ name: 'path', type: 'varchar', length: 256 })
  path!: string;

  @Column({ name: 'route', type: 'varchar', length: 255, nullable: true })
  route!: string | null;

  @Column({ name: 'handler', type: 'varchar', length: 255, nullable: true })
  handler!: string | null;

  @Column({ name: 'instance_id', type: 'varchar', length: 43, nullable: true })
  instanceId!: string | null;

  /** `signature` or `mac`. */
  @Column({ name: 'proof', type: 'varchar', length: 16, nullable: true })
  proof!: string | null;

  @Column({ name: 'app_id', type: 'varchar', length: 128, nullable: true })
  appId!: string | null;

  @Column({ name: 'app_version', type: 'varchar', length: 255, nullable: true })
  appVersion!: string | null;

  @Column({ name: 'session_id', type: 'varchar', length: 64, nullable: true })
  sessionId!: string | null;

  @Column({ name: 'subject', type: 'varchar', length: 255, nullable: true })
  subject!: string | null;

  @Column({ name: 'threats', type: 'simple-json' })
  threats!: string[];

  @Column({ name: 'flags', type: 'simple-json' })
  flags!: string[];

  @Column({ name: 'watched', type: 'simple-json' })
  watched!: string[];

  @Column({ name: 'breach_action', type: 'varchar', length: 32, nullable: true })
  action!: string | null;

  /** Microseconds. */
  @Column({ name: 'duration_us', type: 'bigint', transformer: wholeNumber })
  durationUs!: number;
}

/** The entity of the decision store, for the `entities` of the application's `DataSource`. */
export const TAB_DECISION_ENTITIES: [typeof DecisionRecord] = [DecisionRecord];
