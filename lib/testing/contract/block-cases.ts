import assert from 'node:assert/strict';
import type { BindingQuery, VersionBlock } from '../../bindings/binding.types.js';
import { MAX_BLOCKED_RANGES, type BindingStore } from '../../bindings/binding-store.js';
import { bound, enrolled } from './arrange.js';
import { caseBuilder, type ContractCase, type OpenBindingStore } from './contract.types.js';
import { aBlock, aHash, anEnding, aSessionId, NOW, race } from './factories.js';

/** Version blocks: what `load` brings, writing, taking back, and their number. */
export function blockCases(open: OpenBindingStore): ContractCase[] {
  const define = caseBuilder(open);
  return [...loadingCases(define), ...writingCases(define), ...numberCases(define)];
}

type Define = ReturnType<typeof caseBuilder<BindingStore>>;

/** What `load` says is blocked, in the order of the texts; undefined when it says nothing. */
async function blockedFor(store: BindingStore, query: BindingQuery): Promise<string[] | undefined> {
  const { blockedVersions } = await store.load(query);
  return blockedVersions && [...blockedVersions].sort();
}

function loadingCases(define: Define): ContractCase[] {
  return [
    define(
      'load brings the blocked versions of the app with the instance, whatever else it finds',
      async ({ store }) => {
        const instance = await enrolled(store);
        const session = await bound(store, instance, { credentialHash: aHash() });
        for (const range of ['<3.2.0', '4.0.0', '>=5.0.0-0 <5.1.0||6.0.0'])
          await store.blockVersions(aBlock({ range }));
        const { id: instanceId } = instance;
        const blocked = ['4.0.0', '<3.2.0', '>=5.0.0-0 <5.1.0||6.0.0'];
        const queries = [
          { instanceId },
          { instanceId, sessionId: session.id },
          { instanceId, sessionId: aSessionId() },
          { instanceId, credentialHash: session.credentialHash ?? '' },
          { instanceId, credentialHash: aHash() },
        ];
        for (const query of queries) assert.deepEqual(await blockedFor(store, query), blocked);
        const { blockedVersions, ...found } = await store.load({ instanceId, sessionId: session.id });
        assert.deepEqual([found, blockedVersions?.length], [{ instance, session }, 3]);
        // Without the instance there is no app, and so no block, but still the session.
        assert.deepEqual(await store.load({ instanceId: aHash(), sessionId: session.id }), { session });
      },
    ),

    define('load brings the blocks of exactly that app, whatever the status of the instance', async ({ store }) => {
      const appIds = [
        'com.example.bank',
        'Com.Example.Bank',
        'com.example.bank2',
        'com.example.ban',
        'com_example_bank',
      ];
      const instances = [];
      for (const appId of appIds) instances.push(await enrolled(store, { appId }));
      await store.blockVersions(aBlock());
      await store.suspend(instances[0]?.id ?? '', anEnding(), ['root']);
      const found = [];
      for (const { id } of instances) found.push((await store.load({ instanceId: id })).blockedVersions);
      assert.deepEqual(found, [['<3.2.0'], undefined, undefined, undefined, undefined]);
    }),

    define('a block, and its end, hold from the next load on, on every node', async ({ store, reopen }) => {
      assert.ok(reopen, 'the opened store must offer reopen()');
      const instance = await enrolled(store);
      const { id: instanceId } = instance;
      const other = await reopen();
      // A store that is not shared has no other node; the rule is that of its one node then.
      const shared = (await other.load({ instanceId })).instance !== undefined;
      const nodes = shared ? [store, other] : [store];
      for (let round = 0; round < 5; round++) {
        const range = `<3.${round}.0`;
        await store.blockVersions(aBlock({ range }));
        for (const node of nodes) assert.deepEqual(await blockedFor(node, { instanceId }), [range]);
        assert.equal(await (shared ? other : store).unblockVersions('com.example.bank', range), true);
        for (const node of nodes) assert.equal(await blockedFor(node, { instanceId }), undefined);
      }
    }),

    define('an app may be blocked before its first instance enrols', async ({ store }) => {
      await store.blockVersions(aBlock({ appId: 'com.example.later', range: '*' }));
      const instance = await enrolled(store, { appId: 'com.example.later' });
      assert.deepEqual(await blockedFor(store, { instanceId: instance.id }), ['*']);
    }),
  ];
}

function writingCases(define: Define): ContractCase[] {
  return [
    define('blocks are listed as they were written, by app and range', async ({ store }) => {
      const blocks = [
        aBlock({ range: '<1.0.0-Beta' }),
        aBlock({ range: '<1.0.0-beta', reason: '' }),
        aBlock({ appId: 'com.example.cards', range: '*', at: NOW + 1 }),
      ];
      for (const block of blocks.toReversed()) await store.blockVersions(block);
      assert.deepEqual(await store.findBlocks(), blocks);
      assert.deepEqual(await store.findBlocks('com.example.cards'), blocks.slice(2));
      for (const appId of ['COM.example.cards', 'com.example.cards ', 'com.example', ''])
        assert.deepEqual(await store.findBlocks(appId), []);
    }),

    define('a range that is blocked again gets the new reason and time, and stays one', async ({ store }) => {
      await store.blockVersions(aBlock());
      await race(8, () => store.blockVersions(aBlock({ range: '4.0.0' })));
      const renewed = aBlock({ reason: 'another', at: NOW + 9 });
      await store.blockVersions(renewed);
      assert.deepEqual(await store.findBlocks(), [aBlock({ range: '4.0.0' }), renewed]);
    }),

    define('exactly one block is taken back, and once', async ({ store }) => {
      const others = [aBlock({ range: '<3.2.0-RC' }), aBlock({ appId: 'com.example.cards', range: '<3.2.0-rc' })];
      for (const block of [...others, aBlock({ range: '<3.2.0-rc' })]) await store.blockVersions(block);
      for (const range of ['<3.2.0-rC', '<3.2.0-rc ', '', '*'])
        assert.equal(await store.unblockVersions('com.example.bank', range), false);
      assert.equal(await store.unblockVersions('Com.example.bank', '<3.2.0-rc'), false);
      const done = await race(5, () => store.unblockVersions('com.example.bank', '<3.2.0-rc'));
      assert.equal(done.filter(Boolean).length, 1);
      assert.deepEqual(await store.findBlocks(), others);
    }),

    define('a reason of any length blocks', async ({ store }) => {
      await store.blockVersions(aBlock({ reason: `x${'𝒳é'.repeat(400)}` }));
      const [block] = await store.findBlocks();
      assert.ok(block !== undefined && block.reason.length <= 200);
    }),

    define('a block with another member that does not fit is refused, and nothing is written', async ({ store }) => {
      const wrong: Partial<VersionBlock>[] = [
        ...['', 'x'.repeat(129), 'com example', 'com.example.bank ', 'prüfung'].map((appId) => ({ appId })),
        ...['', ' ', '<1.0.0 ', ' <1.0.0', 'x'.repeat(256), '<1.0.0\0', '<1\n', '<ä'].map((range) => ({ range })),
        { at: 0.5 },
      ];
      for (const change of wrong) await assert.rejects(store.blockVersions(aBlock(change)), RangeError);
      assert.deepEqual(await store.findBlocks(), []);
      await store.blockVersions(aBlock({ appId: 'x'.repeat(128), range: '1'.repeat(255) }));
      assert.equal((await store.findBlocks())[0]?.range.length, 255);
    }),
  ];
}

function numberCases(define: Define): ContractCase[] {
  const rangeOf = (index: number): string => `<${index}.0.0`;
  const outcomeOf = (call: Promise<void>): Promise<unknown> =>
    call.then(
      () => 'blocked',
      (error: unknown) => error,
    );
  return [
    define('an app has at most 64 blocked ranges; another is refused, a renewal is not', async ({ store }) => {
      const instance = await enrolled(store);
      for (let index = 0; index < MAX_BLOCKED_RANGES; index++)
        await store.blockVersions(aBlock({ range: rangeOf(index) }));
      await assert.rejects(store.blockVersions(aBlock({ range: '*' })), RangeError);
      await store.blockVersions(aBlock({ range: rangeOf(7), reason: 'renewed' }));
      await store.blockVersions(aBlock({ appId: 'com.example.cards' }));
      assert.equal((await store.findBlocks('com.example.bank')).length, MAX_BLOCKED_RANGES);
      const expected = Array.from({ length: MAX_BLOCKED_RANGES }, (_, index) => rangeOf(index)).sort();
      assert.deepEqual(await blockedFor(store, { instanceId: instance.id }), expected);
      assert.deepEqual((await store.load({ instanceId: instance.id })).instance, instance);
      await store.unblockVersions('com.example.bank', rangeOf(30));
      await store.blockVersions(aBlock({ range: '*' }));
      assert.equal((await store.findBlocks('com.example.bank')).length, MAX_BLOCKED_RANGES);
    }),

    define('first blocks of an app that come at once are all kept', async ({ store }) => {
      await race(10, (index) => store.blockVersions(aBlock({ range: rangeOf(index) })));
      assert.equal((await store.findBlocks()).length, 10);
    }),

    define('blocks that come at once do not exceed their number', async ({ store }) => {
      for (let index = 0; index < MAX_BLOCKED_RANGES - 3; index++)
        await store.blockVersions(aBlock({ range: rangeOf(index) }));
      const outcomes = await race(8, (index) =>
        outcomeOf(store.blockVersions(aBlock({ range: rangeOf(100 + index) }))),
      );
      assert.equal(outcomes.filter((outcome) => outcome === 'blocked').length, 3);
      assert.equal(outcomes.filter((outcome) => outcome instanceof RangeError).length, 5);
      assert.equal((await store.findBlocks()).length, MAX_BLOCKED_RANGES);
    }),
  ];
}
