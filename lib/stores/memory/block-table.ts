import { inBlockOrder, storableBlock, tooManyBlocks } from '../../bindings/binding-arguments.js';
import { MAX_BLOCKED_RANGES } from '../../bindings/binding-store.js';
import type { VersionBlock } from '../../bindings/binding.types.js';
import { ensureRoom } from './ensure-room.js';

/** Apps that may have blocks; each at most 64. */
const MAX_APPS = 1_000;
const MAX_LISTED = 10_000;

/** Version blocks, by app and range. */
export class BlockTable {
  private readonly ofApp = new Map<string, Map<string, VersionBlock>>();

  put(block: VersionBlock): void {
    const kept = storableBlock(block);
    const blocks = this.ofApp.get(kept.appId) ?? new Map<string, VersionBlock>();
    if (!blocks.has(kept.range) && blocks.size >= MAX_BLOCKED_RANGES) throw tooManyBlocks();
    if (blocks.size === 0) ensureRoom('apps with version blocks', this.ofApp.size, MAX_APPS);
    blocks.set(kept.range, Object.freeze(kept));
    this.ofApp.set(kept.appId, blocks);
  }

  delete(appId: string, range: string): boolean {
    const blocks = this.ofApp.get(appId);
    const deleted = blocks?.delete(range) ?? false;
    if (blocks?.size === 0) this.ofApp.delete(appId);
    return deleted;
  }

  /** The ranges that are blocked for an app; undefined when there are none. */
  ranges(appId: string): string[] | undefined {
    const blocks = this.ofApp.get(appId);
    return blocks && [...blocks.keys()];
  }

  find(appId?: string): VersionBlock[] {
    const tables = appId === undefined ? [...this.ofApp.values()] : [this.ofApp.get(appId) ?? new Map<never, never>()];
    return tables
      .flatMap((blocks): VersionBlock[] => [...blocks.values()])
      .sort(inBlockOrder)
      .slice(0, MAX_LISTED);
  }
}
