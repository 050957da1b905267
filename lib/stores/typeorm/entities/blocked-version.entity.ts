import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { VersionBlock } from '../../../bindings/binding.types.js';
import { wholeNumber } from './whole-number.js';

const primaryKeyConstraintName = 'pk_tab_blocked_version';

/**
 * A blocked version range of an app, as a table. Write it by `TabApps` or `TypeOrmBindingStore`, which keep the ranges
 * canonical and their number within bounds. Times are seconds since the epoch.
 */
@Entity({ name: 'tab_blocked_version' })
@Index('uq_tab_blocked_version_range', ['appId', 'range'], { unique: true })
export class BlockedVersion implements VersionBlock {
  @PrimaryColumn({ name: 'app_id', type: 'varchar', length: 128, primaryKeyConstraintName })
  appId!: string;

  /** 0–63. Two that are written at once cannot share one, which bounds their number whatever runs at the same time. */
  @PrimaryColumn({ name: 'slot', type: 'int', primaryKeyConstraintName })
  slot!: number;

  @Column({ name: 'version_range', type: 'varchar', length: 255 })
  range!: string;

  @Column({ name: 'reason', type: 'varchar', length: 200 })
  reason!: string;

  @Column({ name: 'blocked_at', type: 'bigint', transformer: wholeNumber })
  at!: number;
}
