import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeBrowser, openBrowser, type TestBrowser } from '../../utils/browser.js';
import { html, startSite, type Site } from './site.js';

describeBrowser('a web page with a Defender', () => {
  let browser: TestBrowser;
  let site: Site;

  beforeAll(async () => {
    browser = await openBrowser({ ordinary: true });
  });
  beforeEach(async () => {
    site = await startSite();
  });
  afterEach(async () => {
    const [, ...opened] = browser.context.pages();
    await Promise.all(opened.map((page) => page.close()));
    await site.close();
  });
  afterAll(() => browser?.close());

  async function open(path = '/'): Promise<Page> {
    const page = await browser.context.newPage();
    await page.goto(site.origin + path);
    await page.waitForFunction(() => 'tab' in window);
    return page;
  }
  const enrolments = () => site.received.filter(({ path }) => path === 'POST /tab/instances').length;
  const hello = (page: Page) =>
    page.evaluate(async () => {
      const defender = window.tab.defender();
      const answer = await defender.fetch(`${location.origin}/api/hello`);
      return { status: answer.status, code: answer.headers.get('tab-error'), id: defender.instanceId };
    });

  it('gets through, and enrols once for all its loads', async () => {
    const page = await open();
    const first = await hello(page);
    expect(first).toEqual({ status: 200, code: null, id: expect.stringMatching(/^[\w-]{43}$/) as string });
    await page.reload();
    await page.waitForFunction(() => 'tab' in window);
    expect(await hello(page)).toEqual(first);
    expect(enrolments()).toBe(1);
    const guarded = site.received.filter(({ path }) => path === 'GET /api/hello').map(({ token }) => token);
    expect(new Set(guarded).size).toBe(guarded.length);
    expect(guarded).not.toContain(undefined);
  });

  it('pages that start together have one key and do not fight', async () => {
    const [one, two] = (await Promise.all([open(), open()])) as [Page, Page];
    const answers = await Promise.all([hello(one), hello(two)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers[0]?.id).toBe(answers[1]?.id);
    expect((await hello(await open())).id).toBe(answers[0]?.id);
    // Enrolling a known key again changes nothing; a third page finds it enrolled.
    expect(enrolments()).toBeLessThanOrEqual(2);
  });

  it('a session started in one page is there in pages opened later, and outlives what others save', async () => {
    const [one, two] = (await Promise.all([open(), open()])) as [Page, Page];
    await hello(two);
    const login = await one.evaluate(async () => {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
      return (await window.tab.defender().fetch(`${location.origin}/api/login`, init)).status;
    });
    // This page knew of no session when it loaded its state.
    await two.evaluate(() => window.tab.defender().enrol());
    const later = await (
      await open()
    ).evaluate(async () => {
      const headers = { authorization: 'Bearer issued-access-token' };
      return (await window.tab.defender().fetch(`${location.origin}/api/account`, { headers })).json();
    });
    expect([login, later]).toEqual([200, { subject: 'alice' }]);
  });

  it('is refused when its fetch is hooked', async () => {
    site.files.set('/hooked', html('<script>const f = fetch; window.fetch = (...a) => f(...a)</script>'));
    expect(await hello(await open('/hooked'))).toMatchObject({ status: 403, code: 'insufficient_trust' });
  });

  it('looks again when its user comes back', async () => {
    const page = await open();
    const runs = await page.evaluate(async () => {
      let count = 0;
      const probe = { name: 'x-test-count', run: () => ((count += 1), 'clear' as const) };
      const defender = window.tab.defender({ probes: [probe] });
      await defender.fetch(`${location.origin}/api/hello`);
      const before = count;
      const until = async (wanted: number) => {
        while (count < wanted) await new Promise((resolve) => requestAnimationFrame(resolve));
      };
      window.dispatchEvent(new Event('focus'));
      await until(before + 1);
      await defender.close();
      return count > before;
    });
    expect(runs).toBe(true);
  });
});
