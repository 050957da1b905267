import { tooManyBlocks } from '../../../bindings/binding-arguments.js';
import { MAX_BLOCKED_RANGES } from '../../../bindings/binding-store.js';
import type { VersionBlock } from '../../../bindings/binding.types.js';
import type { SqlValue, Statement, Work } from '../database/statement.js';
import { encodeRow, integer } from '../rows/column.js';
import { BLOCK } from '../rows/shapes.js';
import type { BindingSql } from './binding-sql.js';

const statement = (sql: string, ...params: SqlValue[]): Statement => ({ sql, params });

/** The steps of `BindingStore.blockVersions`. */
export function* blockWork(sql: BindingSql, block: VersionBlock): Work<void> {
  // Lets the blocks of one app be written one after the other, once it has any; before that, the slot decides.
  yield statement(sql.lockBlocks, block.appId);
  // A look of its own: what was committed while the lock was waited for is seen only by a later statement.
  const { rows } = yield statement(sql.slotsOfApp, block.appId);
  if (rows.some((row) => row['b_version_range'] === block.range)) {
    yield statement(sql.renewBlock, block.reason, block.at, block.appId, block.range);
    return;
  }
  const slot = freeSlot(new Set(rows.map((row) => integer.decode(row['b_slot']))));
  if (slot === undefined) throw tooManyBlocks();
  yield statement(sql.insertBlock, ...encodeRow(BLOCK, block), slot);
}

/** The first slot that is not taken. Another transaction that takes the same one fails on the key and is run again. */
function freeSlot(taken: ReadonlySet<unknown>): number | undefined {
  for (let slot = 0; slot < MAX_BLOCKED_RANGES; slot++) if (!taken.has(slot)) return slot;
  return undefined;
}
