import { LRUCache } from 'lru-cache';
import type { AppInstance } from '../bindings/binding.types.js';
import { importPublicKey } from '../token/jwk.js';
import type { InstanceKey } from '../token/signature.js';

/**
 * Imported instance keys by thumbprint. A key is immutable under its thumbprint, so only the key is kept: whether its
 * instance is active is asked anew on every request.
 */
export class KeyRing {
  readonly #keys: LRUCache<string, InstanceKey>;

  constructor(size: number) {
    this.#keys = new LRUCache({ max: size });
  }

  get(instanceId: string): InstanceKey | undefined {
    return this.#keys.get(instanceId);
  }

  /** Imports the key of an instance and keeps it. */
  add(instance: AppInstance): InstanceKey {
    const key: InstanceKey = { alg: instance.algorithm, key: importPublicKey(instance.publicKey) };
    this.#keys.set(instance.id, key);
    return key;
  }
}
