import assert from 'node:assert/strict';
import type { AppInstance } from '../../bindings/binding.types.js';
import type { BindingStore } from '../../bindings/binding-store.js';
import { caseBuilder, type ContractCase, type OpenBindingStore } from './contract.types.js';
import { aHash, anEnding, anInstance, aSession, NOW, race, swapCase } from './factories.js';

const read = async (store: BindingStore, id: string): Promise<AppInstance | undefined> =>
  (await store.load({ instanceId: id })).instance;

/** Writing instances: insertion, replacement by revision, suspension, revocation. */
export function instanceCases(open: OpenBindingStore): ContractCase[] {
  const define = caseBuilder(open);
  return [...savingCases(define), ...suspensionCases(define), ...revocationCases(define)];
}

type Define = ReturnType<typeof caseBuilder<BindingStore>>;

function savingCases(define: Define): ContractCase[] {
  return [
    define('an instance comes back as it was written', async ({ store }) => {
      const instance = anInstance();
      assert.equal(await store.saveInstance(instance), true);
      assert.deepEqual(await read(store, instance.id), instance);
      assert.equal(await read(store, aHash()), undefined);
    }),

    define('of many insertions of one instance, one wins, and the others write nothing', async ({ store }) => {
      const id = aHash();
      const wins = await race(20, (index) => store.saveInstance(anInstance({ id, appVersion: `1.0.${index}` })));
      assert.equal(wins.filter((won) => won).length, 1);
      assert.equal((await read(store, id))?.appVersion, `1.0.${wins.indexOf(true)}`);
    }),

    define('of many replacements of one revision, one wins, and the revision rises by one', async ({ store }) => {
      const instance = anInstance();
      await store.saveInstance(instance);
      const wins = await race(20, (index) =>
        store.saveInstance({ ...instance, appVersion: `2.0.${index}`, revision: 2 }, 1),
      );
      assert.equal(wins.filter((won) => won).length, 1);
      const found = await read(store, instance.id);
      assert.equal(found?.appVersion, `2.0.${wins.indexOf(true)}`);
      assert.equal(found?.revision, 2);
    }),

    define('a replacement needs an instance, and its present revision', async ({ store }) => {
      const instance = anInstance();
      assert.equal(await store.saveInstance(instance, 1), false);
      await store.saveInstance(instance);
      assert.equal(await store.saveInstance({ ...instance, appVersion: '9.9.9', revision: 3 }, 2), false);
      assert.deepEqual(await read(store, instance.id), instance);
    }),

    define('instances whose ids differ in case are different instances', async ({ store }) => {
      const instance = anInstance({ id: `aB${aHash().slice(2)}` });
      await store.saveInstance(instance);
      const other = anInstance({ id: swapCase(instance.id), appVersion: '7.0.0' });
      assert.equal(await read(store, other.id), undefined);
      assert.equal(await store.revoke(other.id, anEnding()), false);
      assert.equal(await store.saveInstance(other), true);
      assert.equal((await read(store, instance.id))?.appVersion, '1.2.3');
    }),

    define('instances are listed in the order of their ids, page by page, by app and status', async ({ store }) => {
      const ids = Array.from({ length: 7 }, aHash);
      for (const id of ids) await store.saveInstance(anInstance({ id }));
      const foreign = anInstance({ appId: 'com.example.other' });
      await store.saveInstance(foreign);
      await store.revoke(ids[0] ?? '', anEnding());
      const all = (await store.findInstances({ appId: 'com.example.bank' })).map(({ id }) => id);
      assert.deepEqual([...all].sort(), [...ids].sort());
      assert.deepEqual(await pages(store), all);
      assert.deepEqual(
        (await store.findInstances({ status: 'revoked' })).map(({ id }) => id),
        [ids[0]],
      );
      assert.deepEqual(await store.findInstances({ appId: 'com.example.other', status: 'revoked' }), []);
      assert.deepEqual(await store.findInstances({ appId: 'com.example.other' }), [foreign]);
    }),
  ];
}

async function pages(store: BindingStore): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const page = await store.findInstances({ appId: 'com.example.bank', limit: 3, after: ids.at(-1) });
    assert.ok(page.length <= 3);
    if (page.length === 0) return ids;
    ids.push(...page.map(({ id }) => id));
  }
}

function suspensionCases(define: Define): ContractCase[] {
  return [
    define('suspension is visible at once, merges its threats and raises the revision', async ({ store }) => {
      const instance = anInstance();
      await store.saveInstance(instance);
      assert.equal(await store.suspend(instance.id, anEnding({ reason: 'first' }), ['root', 'root']), true);
      const first = await read(store, instance.id);
      assert.deepEqual(
        [first?.status, first?.statusReason, first?.statusAt, first?.suspendedBy, first?.revision],
        ['suspended', 'first', NOW + 60, ['root'], 2],
      );
      assert.equal(await store.suspend(instance.id, anEnding({ at: NOW + 90 }), ['hooking', 'root']), true);
      const second = await read(store, instance.id);
      assert.deepEqual([...(second?.suspendedBy ?? [])].sort(), ['hooking', 'root']);
      // What ends the suspension must be newer than the last threat, not than the first.
      assert.equal(second?.statusAt, NOW + 90);
      assert.ok((second?.revision ?? 0) > 2);
    }),

    define('suspensions at once lose no threat', async ({ store }) => {
      const instance = anInstance();
      await store.saveInstance(instance);
      const threats = Array.from({ length: 10 }, (_, index) => `x-test-${index}`);
      await race(10, (index) => store.suspend(instance.id, anEnding(), [threats[index] ?? '']));
      assert.deepEqual([...((await read(store, instance.id))?.suspendedBy ?? [])].sort(), threats);
    }),

    define('an enrolment ends a suspension, unless another came between', async ({ store }) => {
      const instance = anInstance();
      await store.saveInstance(instance);
      await store.suspend(instance.id, anEnding(), ['root']);
      assert.equal(await store.saveInstance({ ...instance, revision: 2 }, 1), false);
      const suspended = await read(store, instance.id);
      await store.suspend(instance.id, anEnding({ at: NOW + 70 }), ['hooking']);
      assert.equal(await store.saveInstance({ ...instance, revision: 3 }, suspended?.revision), false);
      const again = await read(store, instance.id);
      assert.equal(
        await store.saveInstance({ ...instance, revision: (again?.revision ?? 0) + 1 }, again?.revision),
        true,
      );
      assert.equal((await read(store, instance.id))?.status, 'active');
      assert.deepEqual((await read(store, instance.id))?.suspendedBy, []);
    }),

    define('an unknown instance is neither suspended nor revoked', async ({ store }) => {
      assert.equal(await store.suspend(aHash(), anEnding(), ['root']), false);
      assert.equal(await store.revoke(aHash(), anEnding()), false);
    }),
  ];
}

function revocationCases(define: Define): ContractCase[] {
  return [
    define('revocation is for ever', async ({ store }) => {
      const instance = anInstance();
      await store.saveInstance(instance);
      await store.suspend(instance.id, anEnding(), ['root']);
      assert.equal(await store.revoke(instance.id, anEnding({ reason: 'stolen' })), true);
      assert.equal(await store.revoke(instance.id, anEnding()), false);
      assert.equal(await store.suspend(instance.id, anEnding(), ['hooking']), false);
      const revoked = await read(store, instance.id);
      assert.deepEqual(
        [revoked?.status, revoked?.statusReason, revoked?.statusAt, revoked?.revision],
        ['revoked', 'stolen', NOW + 60, 3],
      );
      assert.equal(await store.saveInstance({ ...instance, revision: 4 }, 3), false);
      assert.equal(await store.saveInstance(instance), false);
      assert.equal((await read(store, instance.id))?.status, 'revoked');
    }),

    define('of many revocations at once, one is the revocation', async ({ store }) => {
      const instance = anInstance();
      await store.saveInstance(instance);
      const done = await race(10, () => store.revoke(instance.id, anEnding()));
      assert.equal(done.filter(Boolean).length, 1);
    }),

    define('revocation ends the sessions of the instance, and no others', async ({ store }) => {
      const [instance, other] = [anInstance(), anInstance()];
      for (const one of [instance, other]) await store.saveInstance(one);
      const sessions = [aSession(instance), aSession(instance), aSession(other)];
      for (const session of sessions) await store.bind(session);
      await store.revoke(instance.id, anEnding({ reason: 'stolen' }));
      const found = await Promise.all(sessions.map(({ id }) => store.load({ instanceId: instance.id, sessionId: id })));
      assert.deepEqual(
        found.map(({ session }) => session?.endReason),
        ['stolen', 'stolen', null],
      );
      assert.deepEqual(
        found.map(({ session }) => session?.endedAt),
        [NOW + 60, NOW + 60, null],
      );
    }),

    define('a reason of any length revokes', async ({ store }) => {
      const instance = anInstance();
      await store.saveInstance(instance);
      await store.bind(aSession(instance));
      assert.equal(await store.revoke(instance.id, anEnding({ reason: '𝒳é'.repeat(400) })), true);
      assert.equal((await read(store, instance.id))?.status, 'revoked');
    }),
  ];
}
