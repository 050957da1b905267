// What measuring costs a page, in Chromium: the first run of all web probes, later ones, and the tasks that block the page.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { build } from 'vite';

const RUNS = 50;
/** Code of the size of an app, for the tamper probe to hash. */
const APP_FILES = 20;
const APP_FILE_BYTES = 250_000;
const RUN_LIMIT_MS = 20;
const TASK_LIMIT_MS = 50;

/** Later runs of all probes under 20 ms, and no task over 50 ms, are asked. */
export async function run() {
  const files = await site();
  const server = createServer((request, response) => {
    const content = files.get(request.url ?? '');
    const type = request.url?.endsWith('.js') ? 'text/javascript' : 'text/html';
    response.writeHead(content === undefined ? 404 : 200, { 'content-type': type, 'cache-control': 'max-age=60' });
    response.end(content);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const profile = mkdtempSync(join(tmpdir(), 'tab-bench-'));
  try {
    return table(await measure(profile, `http://localhost:${server.address().port}/`));
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

async function site() {
  const entry = fileURLToPath(new URL('../lib/defender/web/index.ts', import.meta.url));
  const options = { write: false, lib: { entry, formats: ['es'], fileName: 'tab' } };
  const [{ output }] = [await build({ configFile: false, logLevel: 'silent', build: options })].flat();
  const files = new Map([['/tab.js', output[0].code]]);
  for (let i = 0; i < APP_FILES; i += 1) files.set(`/app-${i}.js`, `// ${i} ${'x'.repeat(APP_FILE_BYTES)}`);
  const hash = (text) => `sha256-${createHash('sha256').update(text).digest('base64')}`;
  const listed = Object.fromEntries([...files].map(([path, text]) => [path, hash(text)]));
  files.set('/manifest.json', JSON.stringify({ version: 1, files: listed }));
  const scripts = [...files.keys()].filter((path) => path.startsWith('/app-'));
  const tags = scripts.map((path) => `<script src="${path}"></script>`).join('');
  files.set('/', `<!doctype html><title>bench</title>${tags}`);
  return files;
}

async function measure(profile, url) {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.TAB_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    const [page] = context.pages();
    await page.goto(url);
    return await page.evaluate(inPage, RUNS);
  } finally {
    await context.close();
  }
}

/** Runs in the page. */
async function inPage(runs) {
  const { webProbes } = await import('/tab.js');
  const probes = webProbes({ tamper: { manifest: '/manifest.json' } });
  const tasks = [];
  const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)));
  observer.observe({ type: 'longtask' });
  const timed = async (chosen) => {
    const started = performance.now();
    const results = await Promise.all(chosen.map((probe) => probe.run()));
    return { ms: performance.now() - started, results };
  };
  const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
  const first = await timed(probes);
  const later = [];
  const each = Object.fromEntries(probes.map(({ name }) => [name, []]));
  for (let i = 0; i < runs; i += 1) {
    await pause();
    later.push((await timed(probes)).ms);
    for (const probe of probes) each[probe.name].push((await timed([probe])).ms);
  }
  await pause();
  return { first: first.ms, clear: first.results.filter((result) => result === 'clear').length, later, each, tasks };
}

function table({ first, clear, later, each, tasks }) {
  const round = (value) => Math.round(value * 100) / 100;
  const row = (values) => {
    const sorted = values.toSorted((a, b) => a - b);
    const at = (part) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]);
    return { p50: at(0.5), p95: at(0.95), max: at(1) };
  };
  const longest = Math.max(0, ...tasks);
  return {
    'first run, ms': { p50: round(first), 'probes clear': clear },
    'later runs, ms': { ...row(later), 'as asked': row(later).p50 < RUN_LIMIT_MS ? 'yes' : 'NO' },
    ...Object.fromEntries(Object.entries(each).map(([name, values]) => [`  ${name}, ms`, row(values)])),
    'tasks over 50 ms': { p50: tasks.length, max: round(longest), 'as asked': longest <= TASK_LIMIT_MS ? 'yes' : 'NO' },
  };
}
