import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeBrowser, openBrowser, type TestBrowser } from '../../utils/browser.js';
import { html, startSite, type Site } from './site.js';

describeBrowser('a service worker with a Defender', () => {
  let browser: TestBrowser;
  let site: Site;

  beforeAll(async () => {
    [site, browser] = await Promise.all([startSite(), openBrowser({ ordinary: true })]);
  });
  afterEach(async () => {
    const [, ...opened] = browser.context.pages();
    await Promise.all(opened.map((page) => page.close()));
    site.received.length = 0;
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function open(options: { report: boolean; before?: string; at?: Site }): Promise<Page> {
    const { origin, files } = options.at ?? site;
    files.set('/page', html(options.before));
    const page = await browser.context.newPage();
    await page.goto(`${origin}/page`);
    await page.waitForFunction(() => 'tab' in window);
    await page.evaluate(async (report) => {
      if (report) window.tab.reportToWorker(window.tab.webProbes());
      await window.tab.registerDefenderWorker('/sw.js');
    }, options.report);
    return page;
  }
  const get = (page: Page, path: string) =>
    page.evaluate(async (path) => {
      const { status, headers } = await fetch(path);
      return [status, headers.get('tab-error')];
    }, path);
  const tokens = (path: string) =>
    site.received.filter((request) => request.path === path).map(({ token }) => token !== undefined);

  it("adds a token to a page's own fetch, with content and without", async () => {
    const page = await open({ report: true });
    expect(await get(page, '/api/hello')).toEqual([200, null]);
    const echo = await page.evaluate(async () => {
      const headers = { 'content-type': 'application/json' };
      return (await fetch('/api/echo', { method: 'POST', headers, body: '{"amount":1}' })).json();
    });
    expect(echo).toEqual({ amount: 1 });
    expect(tokens('GET /api/hello')).not.toContain(false);
    expect(tokens('POST /api/echo')).not.toContain(false);
  });

  it('leaves navigations, images, other paths and its own endpoints alone', async () => {
    const page = await open({ report: true });
    site.files.set('/api/picture', '');
    await get(page, '/other');
    await page.evaluate(
      () =>
        new Promise((resolve) => {
          const image = new Image();
          image.addEventListener('error', resolve);
          image.src = '/api/picture';
        }),
    );
    await page.evaluate(() => fetch('/tab/challenge', { method: 'POST' }));
    await page.goto(`${site.origin}/api/hello`);
    for (const path of ['GET /other', 'GET /api/picture', 'POST /tab/challenge', 'GET /api/hello'])
      expect([path, tokens(path)]).toEqual([path, [false]]);
  });

  it('leaves other origins alone', async () => {
    const page = await open({ report: true });
    const other = await startSite();
    try {
      await page.evaluate((url) => fetch(url, { mode: 'no-cors' }), `${other.origin}/api/hello`);
      expect(other.received.map(({ token }) => token)).toEqual([undefined]);
    } finally {
      await other.close();
    }
  });

  it('a page that does not report is not checked, though another one is clear', async () => {
    const clear = await open({ report: true });
    expect(await get(clear, '/api/hello')).toEqual([200, null]);
    const silent = await open({ report: false });
    expect(await get(silent, '/api/hello')).toEqual([403, 'insufficient_trust']);
    expect(await get(clear, '/api/hello')).toEqual([200, null]);
  });

  it('a threat in one page is told for that page', async () => {
    const clear = await open({ report: true });
    const hooked = await open({ report: true, before: '<script>JSON.parse = new Proxy(JSON.parse, {})</script>' });
    expect(await get(hooked, '/api/hello')).toEqual([403, 'insufficient_trust']);
    expect(await get(clear, '/api/hello')).toEqual([200, null]);
  });

  it('takes no report of a page that nobody asked, nor of one page for another', async () => {
    const silent = await open({ report: false });
    await silent.evaluate(() => {
      const report = { found: [], clear: ['automation', 'hooking'], at: Math.floor(Date.now() / 1000) };
      navigator.serviceWorker.controller?.postMessage({ type: 'tab-report', ...report });
      navigator.serviceWorker.controller?.postMessage(report);
    });
    expect(await get(silent, '/api/hello')).toEqual([403, 'insufficient_trust']);
  });

  it("leaves a token of the page's own as it is", async () => {
    const page = await open({ report: true });
    const code = await page.evaluate(async () => {
      const headers = { 'tab-token': 'of-the-page' };
      return (await fetch('/api/hello', { headers })).headers.get('tab-error');
    });
    expect(code).toBe('malformed_token');
  });

  const EMPTY = `
    addEventListener('install', () => skipWaiting());
    addEventListener('activate', (event) => event.waitUntil(clients.claim()));
    addEventListener('fetch', () => undefined);`;

  it('waits until it is that worker that has the page, whoever had it before', async () => {
    const other = await startSite();
    try {
      other.files.set('/old.js', EMPTY);
      const page = await browser.context.newPage();
      await page.goto(other.origin);
      await page.waitForFunction(() => 'tab' in window);
      const outcome = await page.evaluate(async () => {
        const scripts: unknown[] = [];
        const note = () => {
          const { scriptURL = '', state } = navigator.serviceWorker.controller ?? {};
          scripts.push(new URL(scriptURL).pathname, state);
        };
        await window.tab.registerDefenderWorker('/old.js');
        note();
        window.tab.reportToWorker(window.tab.webProbes());
        await window.tab.registerDefenderWorker('/sw.js#now');
        note();
        return [...scripts, (await fetch('/api/hello')).status];
      });
      expect(outcome).toEqual(['/old.js', 'activated', '/sw.js', 'activated', 200]);
    } finally {
      await other.close();
    }
  });

  it('does not take the worker of another registration for its own', async () => {
    const other = await startSite();
    try {
      other.files.set('/deep/old.js', EMPTY);
      other.files.set('/deep/page', html());
      const page = await browser.context.newPage();
      await page.goto(`${other.origin}/deep/page`);
      await page.waitForFunction(() => 'tab' in window);
      const outcome = await page.evaluate(async () => {
        await window.tab.registerDefenderWorker('/deep/old.js');
        return window.tab.registerDefenderWorker('/sw.js', { timeout: 1_000 }).then(String, (error) => error.name);
      });
      expect(outcome).toBe('Error');
    } finally {
      await other.close();
    }
  });

  it('a redirect is a network error, but for who asks for it', async () => {
    const page = await open({ report: true });
    const outcome = await page.evaluate(() =>
      Promise.all(
        (['follow', 'manual'] as const).map((redirect) =>
          fetch('/api/moved', { redirect }).then(
            ({ type }) => type,
            (error: Error) => error.name,
          ),
        ),
      ),
    );
    expect(outcome).toEqual(['TypeError', 'opaqueredirect']);
    expect(tokens('GET /api/hello')).toEqual([]);
  });

  it('what cannot get a token is not sent', async () => {
    const other = await startSite();
    try {
      other.broken.add('/tab/challenge');
      const page = await open({ report: true, at: other });
      const outcome = await page.evaluate(() => fetch('/api/hello').then(String, (error: Error) => error.name));
      expect(outcome).toBe('TypeError');
      expect(other.received.filter(({ path }) => path === 'GET /api/hello')).toEqual([]);
    } finally {
      await other.close();
    }
  });
});
