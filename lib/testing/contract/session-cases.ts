import assert from 'node:assert/strict';
import type { BindingStore } from '../../bindings/binding-store.js';
import { bound, enrolled } from './arrange.js';
import { caseBuilder, type ContractCase, type OpenBindingStore } from './contract.types.js';
import {
  aBlock,
  aBreach,
  aHash,
  anEnding,
  aRebinding,
  aSession,
  aSessionId,
  NOW,
  race,
  swapCase,
} from './factories.js';

/** Sessions: loading, binding, ending, listing. Sweeping and the rules about credentials have files of their own. */
export function sessionCases(open: OpenBindingStore): ContractCase[] {
  const define = caseBuilder(open);
  return [...loadingCases(define), ...bindingCases(define), ...endingCases(define)];
}

type Define = ReturnType<typeof caseBuilder<BindingStore>>;

function loadingCases(define: Define): ContractCase[] {
  return [
    define('load finds instance and session, each whether or not the other exists', async ({ store }) => {
      const instance = await enrolled(store);
      const session = await bound(store, instance, { credentialHash: aHash() });
      const { id: instanceId } = instance;
      assert.deepEqual(await store.load({ instanceId }), { instance });
      assert.deepEqual(await store.load({ instanceId, sessionId: session.id }), { instance, session });
      assert.deepEqual(await store.load({ instanceId, sessionId: aSessionId() }), { instance });
      assert.deepEqual(await store.load({ instanceId: aHash(), sessionId: session.id }), { session });
      assert.deepEqual(await store.load({ instanceId: aHash(), sessionId: aSessionId() }), {});
    }),

    define('load finds a session by the credential that it names now, unless an id is given', async ({ store }) => {
      const instance = await enrolled(store);
      const credentialHash = aHash();
      const session = await bound(store, instance, { credentialHash });
      const other = await bound(store, instance);
      const { id: instanceId } = instance;
      assert.deepEqual((await store.load({ instanceId, credentialHash })).session, session);
      assert.deepEqual((await store.load({ instanceId, sessionId: other.id, credentialHash })).session, other);
      assert.equal((await store.load({ instanceId, sessionId: aSessionId(), credentialHash })).session, undefined);
      assert.equal((await store.load({ instanceId, credentialHash: aHash() })).session, undefined);
      await store.rebind(aRebinding(session));
      assert.equal((await store.load({ instanceId, credentialHash })).session, undefined);
    }),

    define('load compares ids and hashes octet by octet', async ({ store }) => {
      const instance = await enrolled(store);
      const id = `aB${aSessionId()}`;
      const credentialHash = `aB${aHash().slice(2)}`;
      await bound(store, instance, { id, credentialHash });
      for (const wrong of [swapCase(id), `${id} `]) {
        assert.equal((await store.load({ instanceId: instance.id, sessionId: wrong })).session, undefined);
      }
      assert.equal(
        (await store.load({ instanceId: instance.id, credentialHash: swapCase(credentialHash) })).session,
        undefined,
      );
      assert.equal((await store.load({ instanceId: `${instance.id} ` })).instance, undefined);
      await bound(store, instance, { id: swapCase(id), credentialHash: swapCase(credentialHash) });
    }),

    define('ended and expired sessions are loaded as they are', async ({ store }) => {
      const instance = await enrolled(store);
      const expired = await bound(store, instance, { expiresAt: NOW - 1 });
      const ended = await bound(store, instance);
      await store.endSession(ended.id, anEnding());
      assert.deepEqual((await store.load({ instanceId: instance.id, sessionId: expired.id })).session, expired);
      const { session } = await store.load({ instanceId: instance.id, sessionId: ended.id });
      assert.deepEqual(session, { ...ended, endedAt: NOW + 60, endReason: 'contract' });
    }),

    define('what was written is there after a restart, where the store is durable', async ({ store, reopen }) => {
      assert.ok(reopen, 'the opened store must offer reopen()');
      const instance = await enrolled(store);
      const session = await bound(store, instance);
      const found = await (await reopen()).load({ instanceId: instance.id, sessionId: session.id });
      if (found.instance || found.session) assert.deepEqual(found, { instance, session });
    }),

    define('without its storage, every method rejects', async ({ store, down }) => {
      const instance = await enrolled(store);
      const session = await bound(store, instance, { credentialHash: aHash() });
      if (!down) return;
      await down();
      await assert.rejects(store.load({ instanceId: instance.id, sessionId: session.id }));
      await assert.rejects(store.saveInstance(instance));
      await assert.rejects(store.bind(aSession(instance)));
      await assert.rejects(store.rebind(aRebinding(session)));
      await assert.rejects(store.suspend(instance.id, anEnding(), []));
      await assert.rejects(store.revoke(instance.id, anEnding()));
      await assert.rejects(store.endSession(session.id, anEnding()));
      await assert.rejects(store.endSessions(session.subject, anEnding()));
      await assert.rejects(store.recordBreach(aBreach()));
      await assert.rejects(store.findBreaches({}));
      await assert.rejects(store.blockVersions(aBlock()));
      await assert.rejects(store.unblockVersions('com.example.bank', '<3.2.0'));
      await assert.rejects(store.findBlocks());
    }),
  ];
}

function bindingCases(define: Define): ContractCase[] {
  return [
    define('only an active instance gets a session', async ({ store }) => {
      assert.equal(await store.bind(aSession({ id: aHash() })), 'instance_inactive');
      const suspended = await enrolled(store);
      await store.suspend(suspended.id, anEnding(), ['root']);
      const revoked = await enrolled(store);
      await store.revoke(revoked.id, anEnding());
      for (const instance of [suspended, revoked]) {
        const session = aSession(instance);
        assert.equal(await store.bind(session), 'instance_inactive');
        assert.equal((await store.load({ instanceId: instance.id, sessionId: session.id })).session, undefined);
      }
    }),

    define('a session id is never taken over', async ({ store }) => {
      const instance = await enrolled(store);
      const session = await bound(store, instance);
      await assert.rejects(store.bind(aSession(instance, { id: session.id, subject: 'somebody else' })));
      assert.deepEqual((await store.load({ instanceId: instance.id, sessionId: session.id })).session, session);
    }),

    define('no session survives a revocation that ran beside its binding', async ({ store }) => {
      for (let round = 0; round < 25; round++) {
        const instance = await enrolled(store);
        const sessions = Array.from({ length: 4 }, () => aSession(instance, { subject: `race-${round}` }));
        const binds = sessions.slice(0, 3).map((session) => store.bind(session));
        await store.revoke(instance.id, anEnding());
        assert.equal(await store.bind(sessions[3] ?? aSession(instance)), 'instance_inactive');
        await Promise.all(binds);
        const kept = await store.findSessions(`race-${round}`);
        assert.deepEqual(
          kept.filter(({ endedAt }) => endedAt === null),
          [],
        );
      }
    }),
  ];
}

function endingCases(define: Define): ContractCase[] {
  return [
    define('a session ends once', async ({ store }) => {
      const session = await bound(store, await enrolled(store));
      const ends = await race(10, () => store.endSession(session.id, anEnding()));
      assert.equal(ends.filter(Boolean).length, 1);
      assert.equal(await store.endSession(session.id, anEnding({ at: NOW + 99 })), false);
      assert.equal(await store.endSession(aSessionId(), anEnding()), false);
      assert.equal(
        (await store.load({ instanceId: session.instanceId, sessionId: session.id })).session?.endedAt,
        NOW + 60,
      );
    }),

    define('all sessions of exactly one subject end together', async ({ store }) => {
      const instance = await enrolled(store);
      const subjects = ['Zoë', 'Zoë', 'zoë', 'Zoe', 'Zoë ', 'ZOË'];
      const sessions = [];
      for (const subject of subjects) sessions.push(await bound(store, instance, { subject }));
      await store.endSession(sessions[0]?.id ?? '', anEnding());
      await bound(store, instance, { subject: 'Zoë' });
      assert.equal(await store.endSessions('Zoë', anEnding({ at: NOW + 70 })), 2);
      assert.equal(await store.endSessions('Zoë', anEnding()), 0);
      for (const subject of ['zoë', 'Zoe', 'Zoë ', 'ZOË']) {
        assert.deepEqual(
          (await store.findSessions(subject)).map(({ endedAt }) => endedAt),
          [null],
        );
      }
    }),

    define('all kept sessions of a subject are listed, newest first', async ({ store }) => {
      const instance = await enrolled(store);
      for (const age of [20, 0, 10]) await bound(store, instance, { subject: 'lister', createdAt: NOW - age });
      await bound(store, instance, { subject: 'Lister' });
      const found = await store.findSessions('lister');
      await store.endSession(found[0]?.id ?? '', anEnding());
      assert.deepEqual(
        (await store.findSessions('lister')).map(({ createdAt }) => createdAt),
        [NOW, NOW - 10, NOW - 20],
      );
      assert.deepEqual(await store.findSessions('nobody'), []);
    }),
  ];
}
