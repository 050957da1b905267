import { createHash } from 'node:crypto';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeBrowser, openBrowser, type TestBrowser } from '../../utils/browser.js';
import { bundle, html, PROBES, startSite, type Site } from './site.js';

const sha256 = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`;
const others = (...names: string[]) => PROBES.filter((name) => !names.includes(name)).toSorted();

describeBrowser('the web probes', () => {
  let browser: TestBrowser;
  let site: Site;
  const pages: Page[] = [];

  beforeAll(async () => {
    [site, browser] = await Promise.all([startSite(), openBrowser({ ordinary: true })]);
  });
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.close()));
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** Opens a page that runs `script` first. */
  async function open(before = '', from: TestBrowser = browser): Promise<Page> {
    site.files.set('/page', html(before));
    const page = await from.context.newPage();
    pages.push(page);
    await page.goto(`${site.origin}/page`);
    await page.waitForFunction(() => 'tab' in window);
    return page;
  }
  const measure = async (page: Page) => {
    const { found, clear } = await page.evaluate(() => window.tab.measure());
    return { found: found.toSorted(), clear: clear.toSorted() };
  };

  it('an ordinary page is clear, again and again', async () => {
    const page = await open();
    for (let i = 0; i < 3; i += 1) expect(await measure(page)).toEqual({ found: [], clear: others() });
    expect(await page.evaluate(() => document.querySelectorAll('iframe').length)).toBe(0);
  });

  it.each<[string, string, string]>([
    ['a patched fetch', 'const f = fetch; window.fetch = function fetch(...a) { return f(...a) }', 'hooking'],
    [
      'a fetch behind a Proxy',
      'window.fetch = new Proxy(fetch, { apply: (t, s, a) => Reflect.apply(t, s, a) })',
      'hooking',
    ],
    [
      'a fetch behind a Proxy that is ready for the trick',
      `window.fetch = new Proxy(fetch, {
        apply: (t, s, a) => Reflect.apply(t, s, a),
        setPrototypeOf() { throw new TypeError('Cyclic __proto__ value') },
      })`,
      'hooking',
    ],
    ['a Proxy that refuses', 'window.fetch = new Proxy(fetch, { setPrototypeOf: () => false })', 'hooking'],
    ['a bound fetch', 'window.fetch = fetch.bind(window)', 'hooking'],
    ['a fetch with a toString of its own', 'fetch.toString = () => "function fetch() { [native code] }"', 'hooking'],
    [
      'a patched crypto.subtle.sign',
      'const s = SubtleCrypto.prototype.sign; SubtleCrypto.prototype.sign = function sign(...a) { return s.apply(this, a) }',
      'hooking',
    ],
    [
      'a method over crypto.subtle',
      'crypto.subtle.sign = (...a) => SubtleCrypto.prototype.sign.apply(crypto.subtle, a)',
      'hooking',
    ],
    [
      'a patched Function.prototype.toString',
      `const t = Function.prototype.toString, f = fetch;
      window.fetch = function fetch(...a) { return f(...a) };
      Function.prototype.toString = function toString() { return t.call(this === fetch ? f : this) }`,
      'hooking',
    ],
    [
      'a getter for crypto',
      'const c = crypto; Object.defineProperty(window, "crypto", { get: () => c, configurable: true, enumerable: true })',
      'hooking',
    ],
    [
      'XMLHttpRequest as a subclass',
      'const X = XMLHttpRequest; window.XMLHttpRequest = class XMLHttpRequest extends X {}',
      'hooking',
    ],
    [
      'a patched contentWindow',
      `const d = Object.getOwnPropertyDescriptor(HTMLIFrameElement.prototype, 'contentWindow');
      Object.defineProperty(HTMLIFrameElement.prototype, 'contentWindow', { ...d, get() { return d.get.call(this) } })`,
      'hooking',
    ],
    [
      'this very page for a clean one',
      `const d = Object.getOwnPropertyDescriptor(HTMLIFrameElement.prototype, 'contentWindow');
      Object.defineProperty(HTMLIFrameElement.prototype, 'contentWindow', { ...d, get: () => window })`,
      'hooking',
    ],
    [
      'a faked navigator.webdriver',
      'Object.defineProperty(Navigator.prototype, "webdriver", { get: () => false, configurable: true, enumerable: true })',
      'automation',
    ],
    [
      'navigator.webdriver behind a Proxy',
      `const d = Object.getOwnPropertyDescriptor(Navigator.prototype, 'webdriver');
      Object.defineProperty(Navigator.prototype, 'webdriver', { ...d, get: new Proxy(d.get, { apply: () => false }) })`,
      'automation',
    ],
    [
      'navigator.webdriver over the real one',
      'Object.defineProperty(navigator, "webdriver", { value: false })',
      'automation',
    ],
    ['no navigator.webdriver', 'delete Navigator.prototype.webdriver', 'automation'],
    ['a ChromeDriver global', 'document.$cdc_asdjflasutopfhvcZLmcfl_ = {}', 'automation'],
    ['a PhantomJS global', 'window.callPhantom = () => {}', 'automation'],
    ['a patched Date.now', 'const n = Date.now; Date.now = () => n() + 86400000', 'time-spoof'],
    [
      'a Date that stands still',
      'const D = Date; window.Date = class extends D { constructor() { super(0) } }',
      'time-spoof',
    ],
    [
      'a script of an extension',
      'const s = document.createElement("script"); s.src = "chrome-extension://abcdefghijklmnop/inject.js"; document.head.append(s)',
      'x-web-extension-injection',
    ],
  ])('%s is found, and nothing else', async (_, script, name) => {
    const page = await open(`<script>${script}</script>`);
    expect(await measure(page)).toEqual({ found: [name], clear: others(name) });
  });

  it('a wrapper that is allowed is not looked at, the rest is', async () => {
    const page = await open('<script>const f = fetch; window.fetch = (...a) => f(...a)</script>');
    const allowed = () => page.evaluate(() => window.tab.measure([window.tab.hookingProbe({ allow: ['fetch'] })]));
    expect(await allowed()).toEqual({ found: [], clear: ['hooking'] });
    await page.evaluate(() => (JSON.parse = new Proxy(JSON.parse, {})));
    expect(await allowed()).toEqual({ found: ['hooking'], clear: [] });
    await expect(page.evaluate(() => window.tab.hookingProbe({ allow: ['alert' as never] }))).rejects.toThrow('alert');
  });

  it('leaves a Proxy that it has found as it was', async () => {
    const page = await open('<script>window.fetch = new Proxy(fetch, {})</script>');
    await measure(page);
    const state = await page.evaluate(async () => [
      Object.getPrototypeOf(window.fetch) === Function.prototype,
      (await window.fetch('/page')).status,
    ]);
    expect(state).toEqual([true, 200]);
  });

  it('frames of an extension count only when asked for', async () => {
    const page = await open('<iframe src="chrome-extension://abcdefghijklmnop/panel.html"></iframe>');
    const [script, any] = await page.evaluate(() =>
      Promise.all([
        window.tab.measure([window.tab.extensionInjectionProbe()]),
        window.tab.measure([window.tab.extensionInjectionProbe({ elements: 'any' })]),
      ]),
    );
    expect([script?.found, any?.found]).toEqual([[], ['x-web-extension-injection']]);
  });

  it('a page in a frame of another origin is found, in one of its own or an allowed one it is not', async () => {
    await open();
    const frame = `<iframe src="${site.origin}/page"></iframe>`;
    site.files.set('/frame', frame);
    const inFrame = async (origin: string, allow: readonly string[] = []) => {
      const outer = await browser.context.newPage();
      pages.push(outer);
      await outer.goto(`${origin}/frame`);
      const inner = outer.frames()[1];
      await inner?.waitForFunction(() => 'tab' in window);
      return inner?.evaluate((names) => window.tab.measure(window.tab.webProbes({ overlay: { allow: names } })), allow);
    };
    const foreign = site.origin.replace('localhost', '127.0.0.1');
    expect(await inFrame(foreign)).toMatchObject({ found: ['overlay'], clear: PROBES.filter((p) => p !== 'overlay') });
    expect(await inFrame(foreign, [foreign])).toMatchObject({ found: [] });
    expect(await inFrame(site.origin)).toMatchObject({ found: [] });
  });

  it('a clock that goes back is found once', async () => {
    const page = await open();
    const results = await page.evaluate(async () => {
      let now = 1_000_000;
      const clocks = { page: () => now, clean: () => now, steady: () => 0 };
      const probe = window.tab.timeSpoofProbe({ clocks });
      const look = async () => (await window.tab.measure([probe])).found.length;
      const first = await look();
      now += 7_200_000;
      const ahead = await look();
      now -= 1_000;
      const corrected = await look();
      now -= 3_000;
      return [first, ahead, corrected, await look(), await look()];
    });
    expect(results).toEqual([0, 0, 0, 1, 0]);
  });

  it('software graphics are found, only by the probe that is asked for', async () => {
    const page = await open();
    const { found, clear } = await page.evaluate(() => window.tab.measure(window.tab.webProbes({ emulator: true })));
    // A browser without WebGL cannot tell, which is not clear.
    expect([found.join(), clear.includes('emulator')]).toEqual([expect.stringMatching(/^(emulator)?$/), false]);
  });

  it('a page that may have no worker has not been checked for a debugger', async () => {
    const page = await open(`<meta http-equiv="Content-Security-Policy" content="worker-src 'none'">`);
    expect(await measure(page)).toEqual({ found: [], clear: others('debugger') });
  });

  it('a page that may have no frame still has one that is blank', async () => {
    const page = await open(`<meta http-equiv="Content-Security-Policy" content="frame-src 'none'; child-src blob:">`);
    expect(await measure(page)).toEqual({ found: [], clear: others() });
  });

  it('without a clean frame, what needs one is not checked', async () => {
    const page = await open('<script>HTMLHtmlElement.prototype.append = () => {}</script>');
    expect(await measure(page)).toEqual({
      found: [],
      clear: others('hooking', 'automation', 'time-spoof'),
    });
  });

  describeBrowser('tamper', () => {
    const measureTamper = (page: Page, manifest: object | string) =>
      page.evaluate(
        (value) => window.tab.measure([window.tab.tamperProbe({ manifest: value as never })]),
        manifest as never,
      );
    const manifest = async (files: Record<string, string> = {}, inline: string[] = []) => ({
      version: 1,
      files: { '/assets/page.js': sha256(await bundle('page')), ...files },
      inline,
    });
    const app = 'window.app = 1;\n';

    it('is clear where all is as built, by value and by URL', async () => {
      site.files.set('/assets/app.js', app).set('/assets/app.css', 'p { color: red }');
      const page = await open(
        '<script src="/assets/app.js?v=1"></script><link rel="stylesheet" href="/assets/app.css"><script>1;</script><script type="application/json">{}</script>',
      );
      const files = { '/assets/app.js': sha256(app), '/assets/app.css': sha256('p { color: red }') };
      const built = await manifest(files, [sha256('1;')]);
      expect(await measureTamper(page, built)).toEqual({ found: [], clear: ['tamper'] });
      site.files.set('/manifest.json', JSON.stringify(built));
      expect(await measureTamper(page, '/manifest.json')).toEqual({ found: [], clear: ['tamper'] });
    });

    it.each<[string, string]>([
      ['a changed script', '<script src="/assets/app.js"></script>'],
      ['a changed style sheet', '<link rel="stylesheet" href="/assets/app.css">'],
      ['an unknown script', '<script src="/assets/other.js"></script>'],
      ['an unknown script in the page', '<script>2;</script>'],
      ['an unknown import map', '<script type="importmap">{"imports":{"a":"/b.js"}}</script>'],
      ['an unknown data: script', '<script src="data:text/javascript,3"></script>'],
    ])('%s is found', async (_, element) => {
      site.files.set('/assets/app.js', `${app}/* and more */`).set('/assets/app.css', 'p { color: blue }');
      site.files.set('/assets/other.js', '');
      const page = await open(element);
      const files = { '/assets/app.js': sha256(app), '/assets/app.css': sha256('p { color: red }') };
      expect(await measureTamper(page, await manifest(files))).toEqual({ found: ['tamper'], clear: [] });
    });

    it('a script that is added later, runs and goes, is found and stays found', async () => {
      site.files.set('/assets/other.js', 'window.other = true');
      const page = await open();
      const results = await page.evaluate(
        async (value) => {
          const probe = window.tab.tamperProbe({ manifest: value as never });
          const look = async () => (await window.tab.measure([probe])).found.length;
          const first = await look();
          const script = document.createElement('script');
          script.src = '/assets/other.js';
          await new Promise((resolve) => {
            script.addEventListener('load', resolve);
            document.head.append(script);
          });
          script.remove();
          const second = await look();
          performance.clearResourceTimings();
          return [first, second, await look()];
        },
        await manifest(),
      );
      expect(results).toEqual([0, 1, 1]);
    });

    it('fetches each file once', async () => {
      const page = await open();
      const fetches = await page.evaluate(
        async (value) => {
          const probe = window.tab.tamperProbe({ manifest: value as never });
          const count = () => performance.getEntriesByType('resource').length;
          await window.tab.measure([probe]);
          const before = count();
          await window.tab.measure([probe]);
          return count() - before;
        },
        await manifest(),
      );
      expect(fetches).toBe(0);
    });

    it.each<[string, unknown]>([
      ['of another version', { version: 2, files: {} }],
      ['that is none', []],
      ['that is not there', '/nowhere.json'],
    ])('with a manifest %s nothing is checked', async (_, value) => {
      expect(await measureTamper(await open(), value as never)).toEqual({ found: [], clear: [] });
    });
  });

  it('a driven browser is found by automation, one that is headless too', async () => {
    const plain = await openBrowser();
    try {
      expect(await measure(await open('', plain))).toEqual({ found: ['automation'], clear: others('automation') });
      pages.pop();
    } finally {
      await plain.close();
    }
    const headless = await openBrowser({ args: ['--disable-blink-features=AutomationControlled'] });
    try {
      expect(await measure(await open('', headless))).toMatchObject({ found: ['automation'] });
      pages.pop();
    } finally {
      await headless.close();
    }
  });

  it('open developer tools are found, while they are open', async () => {
    const inspected = await openBrowser({ ordinary: true, args: ['--auto-open-devtools-for-tabs'] });
    try {
      // The first tab, since the tools of later ones take long to load.
      const page = inspected.context.pages()[0] as Page;
      site.files.set('/page', html());
      await page.goto(`${site.origin}/page`);
      await page.waitForFunction(() => 'tab' in window);
      // The tools take a while to load; what is asked is that they are then found, by one look that finds nothing else.
      const { found, clear } = await page.evaluate(async () => {
        const probes = window.tab.webProbes();
        let look = await window.tab.measure(probes);
        while (look.found.length === 0 && performance.now() < 40_000) {
          await new Promise((resolve) => requestAnimationFrame(resolve));
          look = await window.tab.measure(probes);
        }
        return look;
      });
      expect({ found, clear: clear.toSorted() }).toEqual({ found: ['debugger'], clear: others('debugger') });
    } finally {
      await inspected.close();
    }
  }, 60_000);
});
