import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TabApps } from '../../../lib/bindings/tab-apps.js';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import { isBlockedVersion } from '../../../lib/trust/blocked-version.js';
import { aBlock, anInstance, NOW } from '../../../lib/testing/contract/factories.js';

const APP = 'com.example.bank';

function setUp(change: object = {}) {
  const { bindings } = memoryStores();
  const settings = { bindings: Object.assign(bindings, change), storeTimeout: 1_000, clock: () => NOW * 1000 + 999 };
  return { bindings, apps: new TabApps(settings) };
}

const rangesOf = async (apps: TabApps): Promise<string[]> => (await apps.blocks()).map(({ range }) => range);

describe('TabApps.block', () => {
  it('writes the block with its canonical range, its reason and the time', async () => {
    const { apps } = setUp();
    await apps.block(APP, '  < v3.2.0 ', 'leaks keys');
    expect(await apps.blocks()).toEqual([aBlock({ reason: 'leaks keys' })]);
    await apps.block(APP, '<3.2.0', 'r'.repeat(300));
    expect(await apps.blocks(APP)).toEqual([aBlock({ reason: 'r'.repeat(200) })]);
  });

  it('holds for the next request of an instance of the app, and of no other', async () => {
    const { apps, bindings } = setUp();
    const [instance, other] = [anInstance(), anInstance({ appId: 'com.example.cards' })];
    for (const one of [instance, other]) await bindings.saveInstance(one);
    await apps.block(APP, '<3.2.0 || 4.0.0', 'leaks');
    const { blockedVersions = [] } = await bindings.load({ instanceId: instance.id });
    const blocked = ['3.1.0', '3.2.0', '3.2.0-rc.1', '4.0.0'].map((version) =>
      isBlockedVersion(version, blockedVersions),
    );
    expect(blocked).toEqual([true, false, true, true]);
    expect((await bindings.load({ instanceId: other.id })).blockedVersions).toBeUndefined();
  });

  it('takes an app that is not known yet', async () => {
    const { apps } = setUp();
    await apps.block('com.example.not-yet', '*', 'not before the review');
    expect(await apps.blocks('com.example.not-yet')).toHaveLength(1);
  });

  it.each([
    '',
    ' ',
    'latest',
    '<',
    '3.2.0 -',
    '>>1.0.0',
    'workspace:*',
    '<3.2.0\0',
    '<3.2.0 ä',
    '1'.repeat(300),
    7,
    null,
  ])('refuses %o, which is no range', async (range) => {
    const { apps } = setUp();
    await expect(apps.block(APP, range as string, 'slip')).rejects.toThrow(TypeError);
    expect(await apps.blocks()).toEqual([]);
  });

  it.each(['x', 'X', ' * ', '||', '>=0', '>=0.0.0-0', 'x.x', '<1.0.0 || *', '<1.0.0 ||'])(
    'refuses %o: all versions are blocked by * alone, with the remedy in the message',
    async (range) => {
      const { apps } = setUp();
      await expect(apps.block(APP, range, 'slip')).rejects.toThrow(/write '\*' to block all versions/);
      await apps.block(APP, '*', 'closed');
      expect(await rangesOf(apps)).toEqual(['*']);
    },
  );

  it.each(['', 'com example', 'x'.repeat(129), `${APP} `, 'prüfung', undefined])(
    'refuses the app id %o',
    async (appId) => {
      const { apps } = setUp();
      await expect(apps.block(appId as string, '<3.2.0', 'slip')).rejects.toThrow(/appId/);
      expect(await apps.blocks()).toEqual([]);
    },
  );

  it('says that an app has too many blocks, and that is no outage', async () => {
    const { apps } = setUp();
    for (let index = 1; index <= 64; index++) await apps.block(APP, `<${index}.0.0`, 'many');
    await expect(apps.block(APP, '<65.0.0', 'one more')).rejects.toThrow(RangeError);
    await apps.block(APP, '<64.0.0', 'renewed');
    expect(await apps.blocks()).toHaveLength(64);
  });

  it('rejects when the store fails or does not answer', async () => {
    const refusal = { code: 'store_unavailable' };
    const failing = setUp({ blockVersions: () => Promise.reject(new Error('lost')) });
    await expect(failing.apps.block(APP, '<3.2.0', 'leaks')).rejects.toMatchObject(refusal);
    const silent = setUp({ findBlocks: () => new Promise(() => undefined) });
    const apps = new TabApps({ bindings: silent.bindings, storeTimeout: 1, clock: Date.now });
    await expect(apps.blocks()).rejects.toMatchObject(refusal);
  });

  it('keeps the meaning of a range in its canonical form, which stays as it is', async () => {
    const version = fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)).map((parts) => parts.join('.'));
    const pre = fc.constantFrom('', '-0', '-beta.1');
    const piece = fc.oneof(
      fc.tuple(fc.constantFrom('<', '<=', '>', '>=', '', '~', '^'), version, pre).map((parts) => parts.join('')),
      fc
        .tuple(fc.constantFrom('', '~', '^', '<', '>='), fc.nat(4), fc.nat(4))
        .map(([sign, a, b]) => `${sign}${a}.${b}`),
      fc.tuple(version, version).map(([from, to]) => `${from} - ${to}`),
    );
    const range = fc.array(piece, { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join(' || '));
    const property = fc.asyncProperty(range, version, pre, async (text, plain, suffix) => {
      const { apps } = setUp();
      const failure: unknown = await apps.block(APP, text, 'any').catch((error: unknown) => error);
      const [canonical] = await rangesOf(apps);
      if (canonical === undefined) {
        // Only a range of all versions is refused here.
        expect(failure).toBeInstanceOf(TypeError);
        expect(isBlockedVersion('0.0.0-0', [text]) && isBlockedVersion(plain + suffix, [text])).toBe(true);
        return;
      }
      expect(isBlockedVersion(plain + suffix, [canonical])).toBe(isBlockedVersion(plain + suffix, [text]));
      await apps.block(APP, canonical, 'again');
      expect(await rangesOf(apps)).toEqual([canonical]);
    });
    await fc.assert(property, { numRuns: 300 });
  });
});

describe('TabApps.unblock', () => {
  it('takes a block back by the range as given or as listed, once', async () => {
    const { apps } = setUp();
    for (const range of ['3.x', '>=3.0.0-0 <4.0.0-0']) {
      await apps.block(APP, '3.x', 'leaks');
      expect(await apps.unblock('com.example.cards', range)).toBe(false);
      expect(await apps.unblock(APP, range)).toBe(true);
      expect(await apps.unblock(APP, range)).toBe(false);
      expect(await apps.blocks()).toEqual([]);
    }
  });

  it('takes back a range that it cannot read, which somebody else wrote', async () => {
    const { apps, bindings } = setUp();
    await bindings.blockVersions(aBlock({ range: 'latest' }));
    expect(await apps.unblock(APP, 'latest')).toBe(true);
  });

  it('does not open an app that is blocked whole by a slip of the pen', async () => {
    const { apps } = setUp();
    await apps.block(APP, '*', 'closed');
    for (const range of ['', 'x', '>=0', '<1.0.0']) expect(await apps.unblock(APP, range)).toBe(false);
    expect(await apps.unblock(APP, '*')).toBe(true);
  });
});

describe('TabApps.blocks', () => {
  it('lists the blocks of one app, or of all, in order', async () => {
    const { apps } = setUp();
    for (const [app, range] of [
      ['b', '2.0.0'],
      ['a', '<1.0.0'],
      ['b', '*'],
    ] as const)
      await apps.block(app, range, '');
    expect((await apps.blocks()).map(({ appId, range }) => [appId, range])).toEqual([
      ['a', '<1.0.0'],
      ['b', '*'],
      ['b', '2.0.0'],
    ]);
    expect(await apps.blocks('b')).toHaveLength(2);
    expect(await apps.blocks('c')).toEqual([]);
  });
});
