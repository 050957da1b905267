import { LRUCache } from 'lru-cache';
import type { AppInstance } from '../bindings/binding.types.js';
import { importPublicKey } from '../token/jwk.js';
import type { InstanceKey } from '../token/signature.js';

/** Imports the key of an instance. It costs about as much as half a signature check. */
export function importInstanceKey({ algorithm, publicKey }: AppInstance): InstanceKey {
  return { alg: algorithm, key: importPublicKey(publicKey) };
}

/**
 * Imported instance keys by thumbprint. A key is immutable under its thumbprint, so only the key is kept: whether its
 * instance is active is asked anew on every request.
 *
 * A key is kept from its second use on. An imported key holds some kilobytes outside the JavaScript heap, where the garbage
 * collector does not see them: of instances that come once, keys that were kept would pile up far beyond `size` before it
 * looked at them, while those that were not are gone at once.
 */
export class KeyRing {
  readonly #keys: LRUCache<string, InstanceKey>;
  readonly #usedOnce: LRUCache<string, true>;

  /** @param size keys kept */
  constructor(size: number) {
    this.#keys = new LRUCache({ max: size });
    this.#usedOnce = new LRUCache({ max: size });
  }

  get(instanceId: string): InstanceKey | undefined {
    return this.#keys.get(instanceId);
  }

  /** Says that a signature has verified by this key. */
  keep(instanceId: string, key: InstanceKey): void {
    if (this.#usedOnce.delete(instanceId)) this.#keys.set(instanceId, key);
    else this.#usedOnce.set(instanceId, true);
  }
}
