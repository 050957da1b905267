import { describe, expect, it } from 'vitest';
import { memoryKeyStore, type DefenderState, type KeyStore } from '../../../lib/defender/index.js';
import { refusal } from './fake-server.js';
import { settled, useHarness } from './harness.js';

const harness = useHarness();

/** What two tabs have in common: one key and one state, and news of each other's changes. */
function sharedStorage() {
  const inner = memoryKeyStore();
  const listeners = new Map<KeyStore, () => void>();
  const saved: DefenderState[] = [];
  let failing = false;
  const tab = (): KeyStore => {
    const tell = () => listeners.forEach((listener, store) => store !== own && listener());
    const own: KeyStore = {
      loadKey: () => inner.loadKey(),
      loadState: () => (failing ? Promise.reject(new Error('blocked')) : inner.loadState()),
      saveState: async (state) => {
        if (failing) throw new Error('blocked');
        saved.push(state);
        await inner.saveState(state);
        tell();
      },
      clear: async () => {
        await inner.clear();
        tell();
      },
      watchState: (listener) => {
        listeners.set(own, listener);
        return () => void listeners.delete(own);
      },
    };
    return own;
  };
  return { tab, listeners, saved, fail: (value: boolean) => (failing = value) };
}

const SID = 's'.repeat(22);
const session = (expires: number) => ({ 'TAB-Session': `${SID}; expires=${expires}` });

describe('two tabs over one store', () => {
  const scene = async () => {
    const storage = sharedStorage();
    const [one, two] = [storage.tab(), storage.tab()].map((keyStore) => harness.defender({ keyStore }));
    if (!one || !two) throw new Error('there are two');
    const url = `${harness.server.origin}/a`;
    await one.fetch(url);
    await two.ready();
    await settled();
    return { storage, one, two, url };
  };

  it('a session started in one is used in the other', async () => {
    const { one, two, url } = await scene();
    harness.server.answers = [{ status: 200, headers: session(9_999_999_999) }];
    await one.fetch(url);
    await settled();
    expect(two.session?.id).toBe(SID);
    await two.fetch(url);
    expect(harness.server.calls.at(-1)?.claims.sid).toBe(SID);
  });

  it('a key retired in one is not used by the other, which goes on with the new one', async () => {
    const { one, two, url } = await scene();
    const before = two.instanceId;
    harness.server.answers = [refusal('instance_revoked', {}, 403)];
    await two.fetch(url);
    expect(two.status).toBe('revoked');
    await one.retire();
    await settled();
    expect(two.status).toBe('new');
    await two.fetch(url);
    expect(two.status).toBe('ready');
    expect(two.instanceId).not.toBe(before);
    expect(await one.ready()).toBe(two.instanceId);
  });

  it('news do not take away what could not be saved yet', async () => {
    const { storage, one, two, url } = await scene();
    storage.fail(true);
    harness.server.answers = [{ status: 200, headers: session(9_999_999_999) }];
    await one.fetch(url);
    storage.fail(false);
    await two.forgetSession();
    await settled();
    expect(one.session?.id).toBe(SID);
  });

  it('a store that cannot be read leaves everything as it was', async () => {
    const { storage, two } = await scene();
    const before = two.instanceId;
    storage.fail(true);
    storage.listeners.forEach((listener) => listener());
    await settled();
    expect(two.instanceId).toBe(before);
  });

  it('a closed Defender listens no more', async () => {
    const { storage, one, two } = await scene();
    await one.close();
    await two.close();
    expect(storage.listeners.size).toBe(0);
  });
});
