import semver from 'semver';
import { isAppId, isBlockRange } from './binding-arguments.js';
import type { BindingStore } from './binding-store.js';
import type { VersionBlock } from './binding.types.js';
import { callBindings } from './store-call.js';
import type { BindingServiceSettings } from './tab-instances.js';

/** The range of every version; blocking it blocks the app. */
const EVERYTHING = '*';

/** For operators: blocks versions of apps that must not be trusted any more. Effective from the next request on, on every node. */
export class TabApps {
  readonly #settings: BindingServiceSettings;

  constructor(settings: BindingServiceSettings) {
    this.#settings = settings;
  }

  /**
   * Refuses every running version of an app in a range. A pre-release counts by its SemVer precedence: `<3.2.0` blocks
   * `3.2.0-beta.1`, and `3.x` blocks `3.0.0-beta.1`. Blocking a blocked range again replaces its reason.
   *
   * @param appId need not be configured or enrolled (yet): a block may come before the app, and outlives it
   * @param range as npm writes them, such as `<3.2.0` or `>=3.0.0 <3.1.4 || 3.2.0`; kept in its canonical form. `'*'`
   *   blocks all versions and must be written like this
   * @param reason for operators, at most 200 characters are kept
   * @throws TypeError when the app id or the range cannot be right
   * @throws RangeError when 64 other ranges of the app are blocked
   */
  async block(appId: string, range: string, reason: string): Promise<void> {
    // Ensures that a slip of the pen is an error here, not a block that nobody meant.
    if (!isAppId(appId)) throw new TypeError('TabApps.block: appId must be 1 to 128 of A-Z a-z 0-9 . _ : -');
    const canonical = canonicalRange(range);
    if (canonical === undefined) {
      throw new TypeError(
        "TabApps.block: range must be an npm-style version range such as '<3.2.0', at most 255 characters; write '*' to block all versions",
      );
    }
    const block = { appId, range: canonical, reason: reason.slice(0, 200), at: this.#now() };
    const full = await callBindings(this.#settings, (store) => writeUnlessFull(store, block));
    if (full !== undefined) throw full;
  }

  /** Takes back a block, by the range as it was given or as it is listed. False when there is none of this range. */
  unblock(appId: string, range: string): Promise<boolean> {
    // A range that this version cannot read may be blocked all the same, by another one; it must be possible to lift it.
    return callBindings(this.#settings, (store) => store.unblockVersions(appId, canonicalRange(range) ?? range));
  }

  /** The blocks of one app, or of all, in the order of app ids and ranges. */
  blocks(appId?: string): Promise<VersionBlock[]> {
    return callBindings(this.#settings, (store) => store.findBlocks(appId));
  }

  #now(): number {
    return Math.floor(this.#settings.clock() / 1000);
  }
}

/** Writes a block; returns the error of a store that has no room for it, which is the caller's to mend and no outage. */
async function writeUnlessFull(store: BindingStore, block: VersionBlock): Promise<RangeError | undefined> {
  try {
    await store.blockVersions(block);
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return error;
    throw error;
  }
}

/** The canonical text of a range, with the meaning that `isBlockedVersion` gives it; undefined when it is no range, or all versions but not said so. */
function canonicalRange(range: string): string | undefined {
  if (typeof range !== 'string' || !isBlockRange(range.trim())) return undefined;
  const canonical = semver.validRange(range, { includePrerelease: true });
  if (canonical === null || !isBlockRange(canonical)) return undefined;
  return canonical === EVERYTHING && range !== EVERYTHING ? undefined : canonical;
}
