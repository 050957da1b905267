import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeBrowser, openBrowser, type TestBrowser } from '../../utils/browser.js';
import { html, startSite, type Site } from './site.js';

describeBrowser('the key store of the browser', () => {
  let browser: TestBrowser;
  let site: Site;
  let databases = 0;

  beforeAll(async () => {
    [site, browser] = await Promise.all([startSite(), openBrowser({ ordinary: true })]);
  });
  afterEach(async () => {
    const [, ...opened] = browser.context.pages();
    await Promise.all(opened.map((page) => page.close()));
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function open(path = '/'): Promise<Page> {
    const page = await browser.context.newPage();
    await page.goto(site.origin + path);
    await page.waitForFunction(() => 'tab' in window);
    return page;
  }
  /** A database that no other test has. */
  const fresh = () => `test-${(databases += 1)}`;
  const ready = (page: Page, name: string) => page.evaluate((name) => window.tab.defender({ name }).ready(), name);

  it('keeps a key that signs and that nobody can export, also not from the database', async () => {
    const page = await open();
    const facts = await page.evaluate(async (name) => {
      const { privateKey } = await window.tab.indexedDbKeyStore({ name }).loadKey();
      const database = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open(name);
        request.addEventListener('success', () => resolve(request.result));
      });
      const stored = await new Promise<{ privateKey: CryptoKey }>((resolve) => {
        const request = database.transaction('instance').objectStore('instance').get('key');
        request.addEventListener('success', () => resolve(request.result as { privateKey: CryptoKey }));
      });
      const data = new Uint8Array(8);
      const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, stored.privateKey, data);
      const failures = await Promise.all(
        [privateKey, stored.privateKey].flatMap((key) =>
          (['jwk', 'pkcs8'] as const).map((format) =>
            crypto.subtle.exportKey(format, key).then(
              () => 'exported',
              (error: Error) => error.name,
            ),
          ),
        ),
      );
      const { type, extractable, algorithm } = stored.privateKey;
      return { failures, type, extractable, algorithm, signature: signature.byteLength };
    }, fresh());
    expect(facts).toEqual({
      failures: Array(4).fill('InvalidAccessError'),
      type: 'private',
      extractable: false,
      algorithm: { name: 'ECDSA', namedCurve: 'P-256' },
      signature: 64,
    });
  });

  it('is the same instance after a reload and in another page, and another one by another name', async () => {
    const name = fresh();
    const page = await open();
    const id = await ready(page, name);
    expect(id).toMatch(/^[\w-]{43}$/);
    await page.reload();
    await page.waitForFunction(() => 'tab' in window);
    expect(await ready(page, name)).toBe(id);
    expect(await ready(await open(), name)).toBe(id);
    expect(await ready(page, fresh())).not.toBe(id);
  });

  it('of pages that start together, all get one key', async () => {
    const name = fresh();
    const pages = await Promise.all([open(), open()]);
    const twice = (page: Page) =>
      page.evaluate((name) => Promise.all([1, 2].map(() => window.tab.defender({ name }).ready())), name);
    const ids = (await Promise.all(pages.map(twice))).flat();
    expect(new Set(ids).size).toBe(1);
  });

  it('needs no Web Locks for that', async () => {
    const name = fresh();
    site.files.set('/unlocked', html('<script>delete Navigator.prototype.locks</script>'));
    const page = await open('/unlocked');
    const ids = await page.evaluate(
      (name) => Promise.all([1, 2, 3, 4].map(() => window.tab.defender({ name }).ready())),
      name,
    );
    expect(await page.evaluate(() => 'locks' in navigator)).toBe(false);
    expect(new Set(ids).size).toBe(1);
  });

  it('pages do not take back what another has learned, and hear of it', async () => {
    const outcome = await (
      await open()
    ).evaluate(async (name) => {
      const api = 'https://api.example';
      const [one, two] = [window.tab.indexedDbKeyStore({ name }), window.tab.indexedDbKeyStore({ name })];
      await Promise.all([one.loadKey(), two.loadKey()]);
      await Promise.all([one.loadState(), two.loadState()]);
      const heard = new Promise<void>((resolve) => two.watchState(() => resolve()));
      const session = { id: 'a'.repeat(22), expires: 9_999_999_999 };
      await one.saveState({ instanceId: 'i', apis: { [api]: { enrolledAt: 1, session } } });
      await heard;
      await two.saveState({ instanceId: 'i', apis: { [api]: { enrolledAt: 2, skew: 5 } } });
      return (await one.loadState())?.apis[api];
    }, fresh());
    expect(outcome).toEqual({ enrolledAt: 2, skew: 5, session: { id: 'a'.repeat(22), expires: 9_999_999_999 } });
  });

  it('a key retired in another page is not written beside, brought back, or taken for the next one', async () => {
    const outcome = await (
      await open()
    ).evaluate(async (name) => {
      const [one, two] = [window.tab.indexedDbKeyStore({ name }), window.tab.indexedDbKeyStore({ name })];
      const [first] = await Promise.all([one.loadKey(), two.loadKey()]);
      await one.clear();
      const code = (work: Promise<unknown>) =>
        work.then(
          () => 'done',
          (error: { code?: string }) => error.code,
        );
      const state = { instanceId: 'i', apis: {} };
      const same = (a: { publicKey: object }, b: { publicKey: object }) =>
        JSON.stringify(a.publicKey) === JSON.stringify(b.publicKey);
      const afterClear = await code(two.saveState(state));
      const clearAgain = await code(two.clear());
      const second = await one.loadKey();
      const beside = await code(two.saveState(state));
      const third = await two.loadKey();
      return [afterClear, clearAgain, beside, same(first, second), same(second, third)];
    }, fresh());
    expect(outcome).toEqual(['key_store', 'done', 'key_store', false, true]);
  });

  it('does not remove the new key of another page', async () => {
    const outcome = await (
      await open()
    ).evaluate(async (name) => {
      const [one, two] = [window.tab.indexedDbKeyStore({ name }), window.tab.indexedDbKeyStore({ name })];
      await Promise.all([one.loadKey(), two.loadKey()]);
      await one.clear();
      await one.loadKey();
      return two.clear().catch((error: { code?: string }) => error.code);
    }, fresh());
    expect(outcome).toBe('key_store');
  });

  it('removes whatever is there for a page that has loaded no key, and only for that', async () => {
    const outcome = await (
      await open()
    ).evaluate(async (name) => {
      const [one, two] = [window.tab.indexedDbKeyStore({ name }), window.tab.indexedDbKeyStore({ name })];
      const code = (work: Promise<unknown>) => work.then(String, (error: { code?: string }) => error.code);
      const text = async () => JSON.stringify((await one.loadKey()).publicKey);
      const before = await text();
      await two.clear();
      const isOther = before !== (await text());
      await two.loadKey();
      await two.clear();
      const after = await text();
      return [isOther, await code(two.clear()), after === (await text())];
    }, fresh());
    expect(outcome).toEqual([true, 'key_store', true]);
  });

  it('opens the database again after another page has had it deleted', async () => {
    const outcome = await (
      await open()
    ).evaluate(async (name) => {
      const store = window.tab.indexedDbKeyStore({ name });
      const before = await store.loadKey();
      await new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase(name);
        request.addEventListener('success', resolve);
        request.addEventListener('blocked', reject);
      });
      return JSON.stringify(before.publicKey) !== JSON.stringify((await store.loadKey()).publicKey);
    }, fresh());
    expect(outcome).toBe(true);
  });

  it('takes no key that could be exported, or that is none', async () => {
    const page = await open();
    const withRecord = (name: string, kind: 'extractable' | 'text') =>
      page.evaluate(
        async ({ name, kind }) => {
          await window.tab.indexedDbKeyStore({ name }).loadKey();
          const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
            'sign',
            'verify',
          ]);
          const publicKey = await crypto.subtle.exportKey('jwk', pair.publicKey);
          const key = {
            version: 1,
            algorithm: 'ES256',
            privateKey: kind === 'text' ? 'k' : pair.privateKey,
            publicKey,
          };
          await new Promise((resolve) => {
            const request = indexedDB.open(name);
            request.addEventListener('success', () => {
              const put = request.result.transaction('instance', 'readwrite').objectStore('instance').put(key, 'key');
              put.addEventListener('success', resolve);
            });
          });
          return window.tab
            .defender({ name })
            .ready()
            .catch((error: { code?: string }) => error.code);
        },
        { name, kind },
      );
    expect(await withRecord(fresh(), 'extractable')).toBe('key_store');
    expect(await withRecord(fresh(), 'text')).toBe('key_store');
  });

  describeBrowser('where storage is blocked', () => {
    const attempt = (page: Page) =>
      page.evaluate(async (name) => {
        const defender = window.tab.defender({ name });
        const code = (work: Promise<unknown>) => work.then(String, (error: { code?: string }) => error.code);
        return [
          await code(defender.ready()),
          await code(defender.fetch(`${location.origin}/api/hello`)),
          defender.instanceId ?? 'no key',
        ];
      }, fresh());
    const REFUSED = ['key_store', 'key_store', 'no key'];

    it.each<[string, string]>([
      ['no IndexedDB', 'delete window.indexedDB'],
      [
        'access denied at the property',
        'Object.defineProperty(window, "indexedDB", { get() { throw new DOMException("denied", "SecurityError") } })',
      ],
      [
        'access denied at opening',
        'IDBFactory.prototype.open = () => { throw new DOMException("denied", "SecurityError") }',
      ],
      [
        'a browser that stores no keys',
        'IDBObjectStore.prototype.add = () => { throw new DOMException("no keys here", "DataCloneError") }',
      ],
      ['a full disk', 'IDBObjectStore.prototype.add = () => { throw new DOMException("full", "QuotaExceededError") }'],
    ])('%s is an error, not a key in memory', async (_, script) => {
      site.files.set('/blocked', html(`<script>${script}</script>`));
      const at = site.received.length;
      expect(await attempt(await open('/blocked'))).toEqual(REFUSED);
      expect(site.received.slice(at).filter(({ path }) => !/^GET \/(blocked|assets|favicon)/.test(path))).toEqual([]);
    });

    it('so is a frame without an origin', async () => {
      site.files.set('/sandboxed', '<iframe sandbox="allow-scripts" srcdoc="<p>"></iframe>');
      const page = await browser.context.newPage();
      await page.goto(`${site.origin}/sandboxed`);
      const frame = page.frames()[1];
      await frame?.addScriptTag({ content: site.files.get('/assets/page.js') ?? '', type: 'module' });
      await frame?.waitForFunction(() => 'tab' in window);
      const result = await frame?.evaluate(async (api) => {
        const defender = window.tab.defender({ api });
        return defender.ready().catch((error: { code?: string }) => error.code);
      }, site.origin);
      expect(result).toBe('key_store');
    });

    it('so is a database of a later version', async () => {
      const page = await open();
      const result = await page.evaluate(async (name) => {
        await new Promise((resolve) => {
          const request = indexedDB.open(name, 2);
          request.addEventListener('success', () => {
            request.result.close();
            resolve(undefined);
          });
        });
        return window.tab
          .defender({ name })
          .ready()
          .catch((error: { code?: string }) => error.code);
      }, fresh());
      expect(result).toBe('key_store');
    });
  });
});
