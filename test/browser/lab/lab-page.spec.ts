import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { describeBrowser, openBrowser, type TestBrowser } from '../../utils/browser.js';
import { buildPage, openLab, press, signIn, startLab, type BuiltPage, type LabBank } from './lab.harness.js';

/** For people to look at; git ignores it. */
const SCREENSHOTS = fileURLToPath(new URL('../../../screenshots', import.meta.url));

const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 860 };

describeBrowser('the page of the attack lab', () => {
  let built: BuiltPage;
  let bank: LabBank;
  let browser: TestBrowser;
  let page: Page;
  beforeAll(async () => {
    mkdirSync(SCREENSHOTS, { recursive: true });
    built = await buildPage();
    browser = await openBrowser({ ordinary: true });
  });
  afterAll(async () => {
    await browser?.close();
    built?.remove();
  });
  beforeEach(async () => {
    bank = await startLab(built.folder);
    ({ page } = await openLab(browser.context, bank.url));
    return async () => {
      await page.close();
      await bank.app.close();
    };
  });

  it.each(['light', 'dark'] as const)('fits, reads and looks well: %s', async (colorScheme) => {
    const shoot = async (state: string) => {
      for (const [name, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
        await page.setViewportSize(viewport);
        expect(await overflow(page), `${state}, ${name}`).toEqual([]);
        await page.screenshot({ path: `${SCREENSHOTS}/lab-${state}-${name}-${colorScheme}.png`, fullPage: true });
      }
      expect(await faintTexts(page), state).toEqual([]);
    };
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await shoot('start');
    await signIn(page);
    await page.getByRole('button', { name: 'Run all attacks' }).click();
    await page.locator('#lab-summary', { hasText: 'went as expected' }).waitFor();
    await shoot('attacked');
    await press(page, 'Revoke this device');
    await shoot('revoked');
  });

  it('is dark for those who want it dark', async () => {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await background();
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(luminanceOf(await background())).toBeLessThan(luminanceOf(light) / 5);
  });

  it('moves nothing for those who want it still', async () => {
    const animation = () =>
      page.evaluate(() => {
        const style = getComputedStyle(document.querySelector('#feed li') ?? document.body);
        return style.animationName;
      });
    await signIn(page);
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    expect(await animation()).toBe('arrive');
    await page.emulateMedia({ reducedMotion: 'reduce' });
    expect(await animation()).toBe('none');
  });

  it('can be used by keyboard alone', async () => {
    await page.keyboard.press('Tab');
    expect(await focused(page)).toMatchObject({ name: 'Skip to the attacks' });
    await page.getByLabel('Password').focus();
    await page.keyboard.press('Enter');
    await page.getByText('Signed in as alice').waitFor();
    await page.evaluate(() => document.body.focus());
    const reached = await tabThrough(page);
    const buttons = await page
      .locator('button:visible')
      .evaluateAll((all) => all.map(({ id, textContent }) => id || textContent));
    expect(buttons.length).toBeGreaterThan(13);
    expect(reached.map(({ name }) => name)).toEqual(expect.arrayContaining(buttons));
    for (const { name, outline } of reached) expect([name, outline]).toEqual([name, 'solid']);
    await page.getByRole('button', { name: 'Try it Replay a request' }).focus();
    await page.keyboard.press('Space');
    await page.locator('#outcome-replay-read .verdict', { hasText: 'as expected' }).waitFor();
    // The focus stays where it was, so that the next key press means the same button.
    expect(await focused(page)).toMatchObject({ name: 'run-replay-read' });
  });

  it('takes the skip link to the attacks', async () => {
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await focused(page)).toMatchObject({ name: 'lab-title' });
  });

  it('names everything for those who listen', async () => {
    await signIn(page);
    await press(page, 'Replay a request');
    const snapshot = await page.locator('body').ariaSnapshot();
    const lines = snapshot.split('\n').map((line) => line.trim());
    const named = (role: string) => lines.filter((line) => line.startsWith(`- ${role}`));
    for (const role of ['button', 'textbox', 'combobox', 'link', 'img', 'article', 'region']) {
      expect(named(role).length, role).toBeGreaterThan(0);
      for (const line of named(role)) expect(line).toMatch(new RegExp(`^- ${role} ".+"`));
    }
    const buttons = named('button').map((line) => /"(.+)"/.exec(line)?.[1]);
    expect(new Set(buttons).size).toBe(buttons.length);
    expect(named('heading').map((line) => /"(.+)" \[level=(\d)\]/.exec(line)?.slice(1).reverse().join(' '))).toEqual([
      '1 Be a customer. Then attack the bank.',
      '2 Your bank',
      '2 This device',
      '2 What the bank decides',
      '2 Attacks',
      ...Array.from({ length: 12 }, () => expect.stringMatching(/^3 /) as string),
    ]);
  });

  it('tells what came of an attack, in a region that is read out', async () => {
    await signIn(page);
    const outcomes = page.locator('.outcome');
    expect(await outcomes.count()).toBe(12);
    for (const outcome of await outcomes.all()) expect(await outcome.getAttribute('aria-live')).toBe('polite');
    await press(page, 'Replay a request');
    const text = (await page.locator('#outcome-replay-read').innerText()).replaceAll(/\s+/g, ' ');
    expect(text).toBe(
      '✓ The bank answered as expected The app reads the accounts expected 200 answered 200 , matched ' +
        'The very same request again expected 401 replayed_token answered 401 replayed_token , matched',
    );
  });

  it('has every id once, and every reference leads somewhere', async () => {
    await signIn(page);
    const { twice, lost } = await page.evaluate(() => {
      const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
      const references = ['for', 'aria-labelledby', 'aria-describedby'].flatMap((name) =>
        [...document.querySelectorAll(`[${name}]`)].flatMap((each) => (each.getAttribute(name) ?? '').split(' ')),
      );
      return {
        twice: ids.filter((id, index) => ids.indexOf(id) !== index),
        lost: references.filter((id) => !ids.includes(id)),
      };
    });
    expect({ twice, lost }).toEqual({ twice: [], lost: [] });
  });

  it('says so when the feed has no room', async () => {
    const full = await startLab(built.folder, { lab: { folder: built.folder, maxListeners: 0 } });
    const other = await browser.context.newPage();
    await other.goto(full.url);
    await other.locator('#feed-state', { hasText: 'Not available' }).waitFor();
    await signIn(other);
    await other.close();
    await full.app.close();
  });

  it('lets those in whom it knows nothing about, and tells them when the password is wrong', async () => {
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('#bank-message', { hasText: 'Not signed in: 401' }).waitFor();
    await page.getByLabel('Customer').selectOption('bob');
    expect(await page.getByLabel('Password').inputValue()).toBe('bob-secret');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('Signed in as bob').waitFor();
    expect(await press(page, 'Replay a transfer')).toMatchObject({ verdict: '✓ The bank answered as expected' });
  });
});

/** What sticks out of the window at the side, or out of what it stands in. */
function overflow(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    const rightOf = (element: Element) => element.getBoundingClientRect().right;
    const wide = [...document.querySelectorAll('body *')].filter((each) => {
      const parent = each.parentElement;
      return parent && !each.closest('.sr-only, .skip, svg') && rightOf(each) > rightOf(parent) + 1;
    });
    return [
      ...(scrollWidth > clientWidth ? [`${scrollWidth} > ${clientWidth}`] : []),
      ...wide.map((each) => `${each.tagName}#${each.id}.${each.className}`),
    ];
  });
}

/** Visible texts with less contrast than WCAG 2.2 AA asks of small text. */
function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const parse = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const light = (color: number[]) => {
      const [r = 0, g = 0, b = 0] = color.map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const backgroundOf = (element: Element | null): number[] => {
      if (!element) return [255, 255, 255];
      const color = parse(getComputedStyle(element).backgroundColor);
      return (color[3] ?? 1) > 0 ? color.slice(0, 3) : backgroundOf(element.parentElement);
    };
    const hasText = (element: Element) =>
      [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim() !== '');
    return [...document.querySelectorAll<HTMLElement>('body *')]
      .filter((each) => hasText(each) && each.checkVisibility() && !each.closest('.sr-only, script, noscript'))
      .flatMap((each) => {
        const [text, ground] = [light(parse(getComputedStyle(each).color).slice(0, 3)), light(backgroundOf(each))];
        const ratio = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
        return ratio < 4.5 ? [`${ratio.toFixed(2)}: ${each.textContent?.trim().slice(0, 40)}`] : [];
      });
  });
}

function luminanceOf(color: string): number {
  return (color.match(/\d+/g) ?? []).map(Number).reduce((sum, value) => sum + value, 0);
}

interface Focused {
  /** Id, or else text. */
  readonly name: string;
  readonly outline: string;
}

/** What has the focus, and how that shows. */
function focused(page: Page): Promise<Focused> {
  return page.evaluate(() => {
    const element = document.activeElement ?? document.body;
    const name = element.id || (element.textContent ?? '').trim();
    return { name, outline: getComputedStyle(element).outlineStyle };
  });
}

/** Everything that Tab reaches, in order, once around. */
async function tabThrough(page: Page): Promise<Focused[]> {
  const count = await page.evaluate(
    () => document.querySelectorAll('a[href], button, input, select, [tabindex]').length,
  );
  const reached: Focused[] = [];
  for (let index = 0; index < count; index++) {
    await page.keyboard.press('Tab');
    const isBody = await page.evaluate(() => document.activeElement === document.body);
    if (!isBody) reached.push(await focused(page));
  }
  return reached;
}
