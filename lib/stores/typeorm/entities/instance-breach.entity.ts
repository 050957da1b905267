import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Breach, BreachAction } from '../../../bindings/binding.types.js';
import { wholeNumber } from './whole-number.js';

/**
 * A breach of the trust in an instance, as a table. Written and deleted by `TypeOrmBindingStore`; without a foreign key,
 * since a breach outlives its instance. Times are seconds since the epoch.
 */
@Entity({ name: 'tab_breach' })
@Index('ix_tab_breach_instance', ['instanceId', 'at', 'id'])
@Index('ix_tab_breach_at', ['at', 'id'])
export class InstanceBreach implements Breach {
  /** The id of the decision. */
  @PrimaryColumn({ name: 'id', type: 'varchar', length: 22, primaryKeyConstraintName: 'pk_tab_breach' })
  id!: string;

  @Column({ name: 'instance_id', type: 'varchar', length: 43 })
  instanceId!: string;

  @Column({ name: 'session_id', type: 'varchar', length: 64, nullable: true })
  sessionId!: string | null;

  @Column({ name: 'breached_at', type: 'bigint', transformer: wholeNumber })
  at!: number;

  @Column({ name: 'code', type: 'varchar', length: 64 })
  code!: string;

  @Column({ name: 'threats', type: 'simple-json' })
  threats!: string[];

  @Column({ name: 'action', type: 'varchar', length: 16 })
  action!: BreachAction;

  @Column({ name: 'detail', type: 'varchar', length: 500 })
  detail!: string;
}
