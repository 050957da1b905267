import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { INestApplication } from '@nestjs/common';
import type { BrowserContext, Page } from 'playwright-core';
import { build } from 'vite';
import { TabDecisions, TabInstances, type TrustDecision } from 'nestjs-tab';
import { createBankApp } from '../../../sample/bank/bank-app.js';
import { readConfig, type BankConfig } from '../../../sample/bank/config.js';
import { findFreePort } from '../../../sample/bank/free-port.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** A built page in a folder of its own. */
export interface BuiltPage {
  readonly folder: string;
  remove(): void;
}

/** Builds the page as `npm start` does, but from the sources of the library. */
export async function buildPage(): Promise<BuiltPage> {
  const folder = mkdtempSync(join(tmpdir(), 'tab-lab-'));
  await build({
    configFile: here('../../../sample/bank/web/vite.config.mjs'),
    logLevel: 'error',
    build: { outDir: folder },
    resolve: {
      alias: [
        { find: /^nestjs-tab\/defender$/, replacement: here('../../../lib/defender/index.ts') },
        { find: /^nestjs-tab\/defender\/web$/, replacement: here('../../../lib/defender/web/index.ts') },
      ],
    },
  });
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A bank with the lab, in memory. */
export interface LabBank {
  readonly app: INestApplication;
  readonly url: string;
  /** What was decided since it started, oldest first. */
  readonly decisions: readonly TrustDecision[];
  readonly instances: TabInstances;
}

/** Starts a bank that shows the page in `folder`. */
export async function startLab(folder: string, change: Partial<BankConfig> = {}): Promise<LabBank> {
  const port = await findFreePort();
  const app = await createBankApp({ ...readConfig({}, port), lab: { folder }, ...change }, { logger: false });
  const decisions: TrustDecision[] = [];
  app.get(TabDecisions).stream.subscribe((decision) => decisions.push(decision));
  await app.listen(port, '127.0.0.1');
  return { app, url: `http://127.0.0.1:${port}`, decisions, instances: app.get(TabInstances) };
}

/** A page of the lab, and everything that it complains about. */
export interface LabPage {
  readonly page: Page;
  readonly complaints: readonly string[];
}

/** Opens the page; what a browser says about broken rules and uncaught errors is kept. */
export async function openLab(context: BrowserContext, url: string): Promise<LabPage> {
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    // Refusals are what the lab is about; Chromium reports each as a resource that failed to load.
    const isRefusal = /the server responded with a status of 40[013]/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !isRefusal) complaints.push(message.text());
  });
  await page.goto(url);
  await page.locator('#feed-state[data-state=live]').waitFor();
  return { page, complaints };
}

/** Signs in as alice with what the form offers. */
export async function signIn(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Signed in as alice').waitFor();
  await page.locator('#lab-hint', { hasText: 'Each one runs here' }).waitFor();
}

/** One step as a card shows it: `expected → answered`. */
export type ShownStep = readonly [expected: string, answered: string];

/** Presses the button of an attack, waits for its end, and returns what is shown. */
export async function press(page: Page, name: string): Promise<{ verdict: string; steps: ShownStep[] }> {
  const card = page.getByRole('article', { name, exact: true });
  await card.getByRole('button', { name: `Try it ${name}`, exact: true }).click();
  await card.locator('.steps').waitFor();
  await page.locator('.attack[aria-busy=true]').waitFor({ state: 'detached' });
  const texts = (kind: string) => card.locator(`.steps code.${kind}`).allTextContents();
  const [expected, answered] = [await texts('expected'), await texts('answered')];
  const verdict = (await card.locator('.verdict').textContent()) ?? '';
  return { verdict, steps: expected.map((each, index) => [each, answered[index] ?? ''] as const) };
}

/** The outcome of a decision in a line: `POST /transfers accepted`, `GET /accounts replayed_token`. */
export function lineOf({ method, route, path, code }: TrustDecision): string {
  return `${method} ${route ?? path} ${code ?? 'accepted'}`;
}
