import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext } from 'playwright-core';
import { describe, it } from 'vitest';

/** Debian's Chromium, unless `TAB_CHROMIUM` names another. */
const CHROMIUM = process.env['TAB_CHROMIUM'] ?? '/usr/bin/chromium';

/** Nothing of the browser's own leaves the machine. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What a headless, driven Chromium is told so that a page sees what it sees in a person's browser. */
const ORDINARY = [
  // Without it `navigator.webdriver` is true.
  '--disable-blink-features=AutomationControlled',
  // By flag, so that workers have it too; the built-in one says `HeadlessChrome`.
  '--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
];

/** A `describe` that drives Chromium; skipped, with a printed notice, where there is none. */
export function describeBrowser(title: string, body: () => void): void {
  if (existsSync(CHROMIUM)) {
    describe(title, body);
    return;
  }
  const notice = `no browser at ${CHROMIUM}`;
  if (process.env['TAB_REQUIRE_SERVICES'] === '1') throw new Error(`${notice}, and TAB_REQUIRE_SERVICES=1`);
  console.warn(`${notice}: the tests that need it are skipped (set TAB_CHROMIUM to its path)`);
  describe.skip(title, () => it('needs Chromium', () => undefined));
}

/** A browser with an empty profile of its own. */
export interface TestBrowser {
  readonly context: BrowserContext;
  /** Ends the browser and removes its profile. */
  close(): Promise<void>;
}

/** How a test browser is started. */
export interface BrowserOptions {
  /** Added to the command line. */
  readonly args?: readonly string[];
  /** Hide that it is driven, so that every probe sees the browser of an ordinary user. Default false. */
  readonly ordinary?: boolean;
}

/** Starts Chromium, headless. */
export async function openBrowser({ args = [], ordinary = false }: BrowserOptions = {}): Promise<TestBrowser> {
  const profile = mkdtempSync(join(tmpdir(), 'tab-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: [...FLAGS, ...(ordinary ? ORDINARY : []), ...args],
  });
  return {
    context,
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
