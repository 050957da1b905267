import assert from 'node:assert/strict';
import type { BoundSession } from '../../bindings/binding.types.js';
import type { BindingStore } from '../../bindings/binding-store.js';
import { bound, enrolled } from './arrange.js';
import { caseBuilder, type ContractCase, type OpenBindingStore } from './contract.types.js';
import { aHash, anEnding, aRebinding, aSession, NOW, race } from './factories.js';

/** A credential hash belongs to one session; binding it again is refused and ends the first (PROTOCOL section 11). */
export function credentialCases(open: OpenBindingStore): ContractCase[] {
  const define = caseBuilder(open);
  return [...takenCases(define), ...refreshCases(define), ...raceCases(define)];
}

type Define = ReturnType<typeof caseBuilder<BindingStore>>;

async function read(store: BindingStore, { instanceId, id }: BoundSession): Promise<BoundSession | undefined> {
  return (await store.load({ instanceId, sessionId: id })).session;
}

function takenCases(define: Define): ContractCase[] {
  return [
    define('a credential that another session names is refused and ends that session', async ({ store }) => {
      const [instance, thief] = [await enrolled(store), await enrolled(store)];
      const credentialHash = aHash();
      const first = await bound(store, instance, { credentialHash });
      const second = aSession(thief, { credentialHash, createdAt: NOW + 5 });
      assert.equal(await store.bind(second), 'credential_taken');
      assert.equal(await read(store, second), undefined);
      assert.equal((await read(store, first))?.endedAt, NOW + 5);
      assert.equal(await store.bind(aSession(thief, { credentialHash })), 'credential_taken');
      assert.equal((await read(store, first))?.endedAt, NOW + 5);
    }),

    define('a credential that a session named before its refresh is taken too', async ({ store }) => {
      const instance = await enrolled(store);
      const credentialHash = aHash();
      const first = await bound(store, instance, { credentialHash });
      assert.equal(await store.rebind(aRebinding(first)), 'rebound');
      assert.equal(await store.bind(aSession(instance, { credentialHash })), 'credential_taken');
      assert.notEqual((await read(store, first))?.endedAt, null);
    }),

    define('an inactive instance cannot end a session by naming its credential', async ({ store }) => {
      const [instance, revoked] = [await enrolled(store), await enrolled(store)];
      await store.revoke(revoked.id, anEnding());
      const credentialHash = aHash();
      const first = await bound(store, instance, { credentialHash });
      assert.equal(await store.bind(aSession(revoked, { credentialHash })), 'instance_inactive');
      assert.equal((await read(store, first))?.endedAt, null);
    }),

    define('sessions that name no credential do not meet', async ({ store }) => {
      const instance = await enrolled(store);
      const outcomes = await race(5, () => store.bind(aSession(instance)));
      assert.deepEqual([...new Set(outcomes)], ['bound']);
    }),
  ];
}

function refreshCases(define: Define): ContractCase[] {
  return [
    define('a refresh replaces the credential and keeps the old one as previous', async ({ store }) => {
      const instance = await enrolled(store);
      const session = await bound(store, instance, { credentialHash: aHash() });
      const change = aRebinding(session);
      assert.equal(await store.rebind(change), 'rebound');
      const refreshed = {
        ...session,
        credentialHash: change.credentialHash,
        previousCredentialHash: session.credentialHash,
        previousValidUntil: NOW + 40,
      };
      assert.deepEqual(await read(store, session), refreshed);
      // The same refresh again, as after a lost answer, changes nothing.
      assert.equal(await store.rebind({ ...change, previousValidUntil: NOW + 99 }), 'rebound');
      assert.deepEqual(await read(store, session), refreshed);
    }),

    define('the first credential of a session has none before it', async ({ store }) => {
      const session = await bound(store, await enrolled(store));
      await store.rebind(aRebinding(session));
      const refreshed = await read(store, session);
      assert.deepEqual([refreshed?.previousCredentialHash, refreshed?.previousValidUntil], [null, null]);
    }),

    define('only a live session of that instance is refreshed', async ({ store }) => {
      const [instance, other] = [await enrolled(store), await enrolled(store)];
      const session = await bound(store, instance, { credentialHash: aHash() });
      const ended = await bound(store, instance);
      await store.endSession(ended.id, anEnding());
      const expired = await bound(store, instance, { expiresAt: NOW + 10 });
      const changes = [
        aRebinding(session, { instanceId: other.id }),
        aRebinding(ended),
        aRebinding(expired),
        aRebinding(aSession(instance)),
      ];
      for (const change of changes) assert.equal(await store.rebind(change), 'session_inactive');
      assert.deepEqual(await read(store, session), session);
    }),

    define('a session that cannot be refreshed ends no other', async ({ store }) => {
      const instance = await enrolled(store);
      const holder = await bound(store, instance, { credentialHash: aHash() });
      const change = aRebinding(aSession(instance), { credentialHash: holder.credentialHash ?? '' });
      assert.equal(await store.rebind(change), 'session_inactive');
      assert.equal((await read(store, holder))?.endedAt, null);
    }),

    define('a refresh to the credential of another session is refused and ends that one', async ({ store }) => {
      const instance = await enrolled(store);
      const credentialHash = aHash();
      const first = await bound(store, instance, { credentialHash });
      const second = await bound(store, instance, { credentialHash: aHash() });
      assert.equal(await store.rebind(aRebinding(second, { credentialHash })), 'credential_taken');
      assert.equal((await read(store, first))?.endedAt, NOW + 10);
      assert.deepEqual(await read(store, second), second);
    }),

    define('a credential that was replaced does not come back', async ({ store }) => {
      const session = await bound(store, await enrolled(store), { credentialHash: aHash() });
      await store.rebind(aRebinding(session));
      const back = aRebinding(session, { credentialHash: session.credentialHash ?? '', now: NOW + 20 });
      assert.equal(await store.rebind(back), 'credential_taken');
      assert.equal((await read(store, session))?.endedAt, NOW + 20);
    }),
  ];
}

function raceCases(define: Define): ContractCase[] {
  const holders = async (
    store: BindingStore,
    sessions: readonly BoundSession[],
    hash: string,
  ): Promise<BoundSession[]> => {
    const kept = await Promise.all(sessions.map((session) => read(store, session)));
    return kept.filter((session) => session !== undefined).filter(({ credentialHash }) => credentialHash === hash);
  };

  return [
    define('of many bindings of one credential, at most one writes, and it is ended', async ({ store }) => {
      for (let round = 0; round < 5; round++) {
        const instance = await enrolled(store);
        const credentialHash = aHash();
        const sessions = Array.from({ length: 12 }, () => aSession(instance, { credentialHash }));
        const outcomes = await race(12, (index) => store.bind(sessions[index] ?? aSession(instance)));
        assert.deepEqual(outcomes.filter((outcome) => outcome === 'bound').length, 1);
        assert.deepEqual(new Set(outcomes), new Set(['bound', 'credential_taken']));
        const named = await holders(store, sessions, credentialHash);
        assert.equal(named.length, 1);
        assert.notEqual(named[0]?.endedAt, null);
      }
    }),

    define('of many refreshes to one credential, at most one session names it, and it is ended', async ({ store }) => {
      const instance = await enrolled(store);
      const credentialHash = aHash();
      const sessions: BoundSession[] = [];
      for (let count = 0; count < 8; count++) sessions.push(await bound(store, instance, { credentialHash: aHash() }));
      const outcomes = await race(8, (index) =>
        store.rebind(aRebinding(sessions[index] ?? aSession(instance), { credentialHash })),
      );
      assert.equal(outcomes.filter((outcome) => outcome === 'rebound').length, 1);
      const named = await holders(store, sessions, credentialHash);
      assert.equal(named.length, 1);
      assert.notEqual(named[0]?.endedAt, null);
    }),

    define(
      'bindings and refreshes of one credential at once leave at most one live session that names it',
      async ({ store }) => {
        for (let round = 0; round < 10; round++) {
          const instance = await enrolled(store);
          const hash = aHash();
          const first = await bound(store, instance, { credentialHash: hash });
          const second = await bound(store, instance, { credentialHash: aHash() });
          const third = aSession(instance, { credentialHash: hash });
          await Promise.all([
            store.rebind(aRebinding(first)),
            store.rebind(aRebinding(second, { credentialHash: hash })),
            store.bind(third),
          ]);
          const kept = await Promise.all([first, second, third].map((session) => read(store, session)));
          const naming = kept
            .filter((session) => session !== undefined)
            .filter((session) => session.credentialHash === hash || session.previousCredentialHash === hash);
          assert.equal(naming.length, 1);
          assert.notEqual(naming[0]?.endedAt, null);
        }
      },
    ),

    define('sessions that swap their credentials at once do not both live', async ({ store }) => {
      for (let round = 0; round < 3; round++) {
        const instance = await enrolled(store);
        const one = await bound(store, instance, { credentialHash: aHash() });
        const two = await bound(store, instance, { credentialHash: aHash() });
        await Promise.all([
          store.rebind(aRebinding(one, { credentialHash: two.credentialHash ?? '' })),
          store.rebind(aRebinding(two, { credentialHash: one.credentialHash ?? '' })),
        ]);
        const kept = await Promise.all([one, two].map((session) => read(store, session)));
        assert.ok(kept.some((session) => session?.endedAt !== null));
      }
    }),
  ];
}
