import assert from 'node:assert/strict';
import type { AppInstance, BoundSession } from '../../bindings/binding.types.js';
import type { BindingStore } from '../../bindings/binding-store.js';
import { anInstance, aSession } from './factories.js';

/** Enrols an instance. */
export async function enrolled(store: BindingStore, change: Partial<AppInstance> = {}): Promise<AppInstance> {
  const instance = anInstance(change);
  assert.equal(await store.saveInstance(instance), true);
  return instance;
}

/** Binds a session. */
export async function bound(
  store: BindingStore,
  instance: AppInstance,
  change: Partial<BoundSession> = {},
): Promise<BoundSession> {
  const session = aSession(instance, change);
  assert.equal(await store.bind(session), 'bound');
  return session;
}
