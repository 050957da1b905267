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

/** Starts Chromium, headless. `args` are added to its command line. */
export async function openBrowser(options: { args?: readonly string[] } = {}): Promise<TestBrowser> {
  const profile = mkdtempSync(join(tmpdir(), 'tab-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: [...FLAGS, ...(options.args ?? [])],
  });
  return {
    context,
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
