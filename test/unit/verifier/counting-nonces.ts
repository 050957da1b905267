import { NonceStore } from '../../../lib/nonces/nonce-store.js';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import { TestClock } from '../../utils/core/index.js';

/** A durable nonce store that remembers what it was asked. */
export class CountingNonces extends NonceStore {
  readonly calls: [key: string, expiresAt: number][] = [];
  readonly #nonces = memoryStores({ clock: new TestClock().read }).nonces;

  override claim(key: string, expiresAt: number): Promise<boolean> {
    this.calls.push([key, expiresAt]);
    return this.#nonces.claim(key, expiresAt);
  }
}
