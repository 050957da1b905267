import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { TabDecisions, TabInstances } from 'nestjs-tab';
import { createDefender, memoryKeyStore, type Defender } from 'nestjs-tab/defender';
import { BankConfigError, readConfig } from '../../../sample/bank/config.js';
import { DecisionFeed } from '../../../sample/bank/lab/decision-feed.js';
import { startLab, type LabBank } from './lab.harness.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tab-lab-files-'));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>page</title>');
  writeFileSync(join(folder, 'secret.env'), 'not of the page');
  writeFileSync(join(folder, 'assets', 'index-1a2b3c4d.js'), 'export {};');
  writeFileSync(join(folder, 'assets', 'integrity.json'), '{"version":1,"files":{}}');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let bank: LabBank;
const defenders: Defender[] = [];
const controllers: AbortController[] = [];
beforeEach(async () => {
  bank = await startLab(folder);
});
afterEach(async () => {
  for (const defender of defenders.splice(0)) await defender.close();
  for (const controller of controllers.splice(0)) controller.abort();
  await bank.app.close();
});

const PROBES = ['automation', 'debugger', 'hooking', 'overlay', 'tamper', 'time-spoof'];

/** An instance of the web app, without a browser, whose probes answer as told. */
async function signIn() {
  const report = { clear: [...PROBES], found: [] as string[] };
  const defender = createDefender({
    api: bank.url,
    app: { id: 'com.example.bank.web', ver: '1.0.0', platform: 'web' },
    keyStore: memoryKeyStore(),
    evidenceMaxAge: 0,
    proofKeys: false,
    probes: [{ name: 'x-test-all', run: () => report }],
  });
  defenders.push(defender);
  const login = await defender.fetch(`${bank.url}/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: 'alice', password: 'alice-secret' }),
  });
  const { accessToken } = (await login.json()) as { accessToken: string };
  const send = async (method: string, path: string, body?: object): Promise<string> => {
    const headers = { Authorization: `Bearer ${accessToken}`, 'Content-Type': 'application/json' };
    const response = await defender.fetch(`${bank.url}${path}`, {
      method,
      headers,
      body: body && JSON.stringify(body),
    });
    return `${response.status} ${response.headers.get('tab-error') ?? ''}`.trim();
  };
  return { defender, report, accessToken, send };
}

/** Reads the feed until `count` entries have come; a feed without end is what it is. */
async function listen(count: number): Promise<Record<string, unknown>[]> {
  const controller = new AbortController();
  controllers.push(controller);
  const response = await fetch(`${bank.url}/lab/decisions`, { signal: controller.signal });
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  expect(response.headers.get('cache-control')).toBe('no-store');
  const text = await readUntil(response, (read) => (read.match(/^data: /gm) ?? []).length >= count);
  return text.split('\n').flatMap((line) => (line.startsWith('data: ') ? [JSON.parse(line.slice(6)) as never] : []));
}

async function readUntil(response: Response, isEnough: (text: string) => boolean): Promise<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (reader && !isEnough(text)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  return text;
}

/** Resolves when nobody listens any more. */
function untilNobodyListens({ app }: LabBank): Promise<void> {
  return vi.waitFor(() => expect(app.get(DecisionFeed).listeners).toBe(0), { timeout: 20_000 });
}

describe('the page', () => {
  it('is served under a policy that lets nothing in from elsewhere', async () => {
    for (const [path, type] of [
      ['/', 'text/html; charset=utf-8'],
      ['/assets/index-1a2b3c4d.js', 'text/javascript; charset=utf-8'],
      ['/assets/integrity.json', 'application/json; charset=utf-8'],
    ]) {
      const response = await fetch(`${bank.url}${path}`);
      expect([path, response.status, response.headers.get('content-type')]).toEqual([path, 200, type]);
      const policy = response.headers.get('content-security-policy');
      expect(policy).toContain("default-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('unsafe');
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  it('is looked up anew each time, but for files whose names change with them', async () => {
    const cacheOf = async (path: string) => (await fetch(`${bank.url}${path}`)).headers.get('cache-control');
    expect(await cacheOf('/')).toBe('no-cache');
    expect(await cacheOf('/assets/integrity.json')).toBe('no-cache');
    expect(await cacheOf('/assets/index-1a2b3c4d.js')).toContain('immutable');
  });

  it.each([
    '/assets/none.js',
    '/assets/..%2fsecret.env',
    '/assets/..%2f..%2fconfig.ts',
    '/assets/%2e%2e%2findex.html',
    '/secret.env',
    '/index.html',
  ])('has no other files: %s', async (path) => {
    expect((await fetch(`${bank.url}${path}`)).status).toBe(404);
  });

  it('says how to build it where it is not built', async () => {
    const empty = await startLab(join(folder, 'nowhere'));
    const response = await fetch(`${empty.url}/`);
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(await response.text()).toContain('npm start');
    expect((await fetch(`${empty.url}/health`)).status).toBe(200);
    await empty.app.close();
  });

  it('is not there without a lab, nor is its app', async () => {
    const closed = await startLab(folder, { lab: undefined });
    for (const path of ['/', '/assets/index-1a2b3c4d.js', '/lab/decisions'])
      expect([path, (await fetch(`${closed.url}${path}`)).status]).toEqual([path, 404]);
    const defender = createDefender({
      api: closed.url,
      app: { id: 'com.example.bank.web', ver: '1.0.0', platform: 'web' },
      keyStore: memoryKeyStore(),
      probes: [],
    });
    await expect(defender.enrol()).rejects.toMatchObject({ tabError: 'attestation_rejected' });
    await defender.close();
    await closed.app.close();
  });
});

describe('the settings of the lab', () => {
  const read = (env: NodeJS.ProcessEnv, args: string[]) =>
    readConfig({ JWT_SECRET: 'x'.repeat(32), ...env }, 3000, args).lab !== undefined;

  it.each<[NodeJS.ProcessEnv, string[], boolean]>([
    [{}, [], false],
    [{ LAB: '' }, [], false],
    [{ LAB: 'off' }, [], false],
    [{ NODE_ENV: 'staging' }, [], false],
    [{ NODE_ENV: 'production' }, [], false],
    [{ LAB: 'on' }, [], true],
    [{}, ['--lab'], true],
    [{ LAB: 'off' }, ['--lab'], false],
    [{ LAB: 'off', NODE_ENV: 'production' }, ['--lab'], false],
  ])('%j %j: %s', (env, args, isOpen) => {
    expect(read(env, args)).toBe(isOpen);
  });

  it.each<[NodeJS.ProcessEnv, string[]]>([
    [{ LAB: 'yes' }, []],
    [{ LAB: 'on', NODE_ENV: 'production' }, []],
    [{ NODE_ENV: 'production' }, ['--lab']],
    [{ NODE_ENV: 'Production ' }, ['--lab']],
    [{ NODE_ENV: 'prod' }, ['--lab']],
    [{}, ['--labs']],
  ])('refuses %j %j', (env, args) => {
    expect(() => read(env, args)).toThrow(BankConfigError);
  });
});

describe('the feed', () => {
  it('tells what was decided and then what is, and nobody', async () => {
    const { send, defender, accessToken } = await signIn();
    expect(await send('GET', '/accounts')).toBe('200');
    const told = listen(3);
    await fetch(`${bank.url}/accounts?secret=1`, { headers: { Authorization: `Bearer ${accessToken}` } });
    const entries = await told;
    expect(entries.map(({ route, outcome, code }) => [route, outcome, code])).toEqual([
      ['POST /auth/login', 'accepted', undefined],
      ['GET /accounts', 'accepted', undefined],
      ['GET /accounts', 'refused', 'missing_token'],
    ]);
    for (const entry of entries) {
      const names = Object.keys(entry).filter((name) => name !== 'code');
      expect(names).toEqual(['id', 'time', 'route', 'outcome', 'threats', 'durationMs']);
    }
    const text = JSON.stringify(entries);
    for (const secret of [defender.instanceId, defender.session?.id, accessToken, 'alice', 'secret', 'detail'])
      expect(text).not.toContain(secret);
  });

  it('tells nothing that a stranger wrote into a path', async () => {
    await fetch(`${bank.url}/tab/instances/self`, { method: 'DELETE' });
    const [entry] = await listen(1);
    expect(entry?.['route']).toBe('DELETE /tab/instances/self');
  });

  it('has room for so many, and for others when they have gone', async () => {
    const small = await startLab(folder, { lab: { folder, maxListeners: 2 } });
    const open = async () => {
      const controller = new AbortController();
      const response = await fetch(`${small.url}/lab/decisions`, { signal: controller.signal });
      return { status: response.status, retryAfter: response.headers.get('retry-after'), controller };
    };
    const [first, second, third] = [await open(), await open(), await open()];
    expect([first.status, second.status, third.status]).toEqual([200, 200, 503]);
    expect(third.retryAfter).toBe('30');
    first.controller.abort();
    second.controller.abort();
    await untilNobodyListens(small);
    const fourth = await open();
    expect(fourth.status).toBe(200);
    // A listener does not keep the bank from ending.
    await small.app.close();
    fourth.controller.abort();
  });

  it('gives one address some of the places, and not all', async () => {
    const open = async () => {
      const controller = new AbortController();
      controllers.push(controller);
      return (await fetch(`${bank.url}/lab/decisions`, { signal: controller.signal })).status;
    };
    const answers: number[] = [];
    for (let count = 0; count < 5; count += 1) answers.push(await open());
    expect(answers).toEqual([200, 200, 200, 200, 503]);
    expect(bank.app.get(DecisionFeed).hasRoom('198.51.100.7')).toBe(true);
    controllers.splice(0).forEach((controller) => controller.abort());
    await untilNobodyListens(bank);
    expect(await open()).toBe(200);
  });

  it('looks the latest up once a second, and misses nothing that came since', async () => {
    let now = 0;
    await bank.app.close();
    bank = await startLab(folder, { lab: { folder, now: () => now } });
    const recent = vi.spyOn(bank.app.get(TabDecisions), 'recent');
    await fetch(`${bank.url}/accounts`);
    expect(await listen(1)).toHaveLength(1);
    await fetch(`${bank.url}/accounts`);
    const ids = (await listen(2)).map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    expect(recent).toHaveBeenCalledTimes(1);
    now = 1000;
    expect((await listen(2)).map(({ id }) => id)).toEqual(ids);
    expect(recent).toHaveBeenCalledTimes(2);
  });

  it('forgets whoever goes', async () => {
    await signIn();
    await listen(1);
    expect(bank.app.get(DecisionFeed).listeners).toBe(1);
    controllers.splice(0).forEach((controller) => controller.abort());
    await untilNobodyListens(bank);
  });

  it('keeps quiet connections open', async () => {
    const quiet = await startLab(folder, { lab: { folder, heartbeat: 5 } });
    const controller = new AbortController();
    const response = await fetch(`${quiet.url}/lab/decisions`, { signal: controller.signal });
    expect(await readUntil(response, (text) => (text.match(/^: /gm) ?? []).length >= 2)).toContain(': still here\n\n');
    controller.abort();
    await quiet.app.close();
  });
});

describe('giving up a device', () => {
  it('revokes the one that asks, and no other', async () => {
    const [lost, other] = [await signIn(), await signIn()];
    expect(await lost.send('POST', '/lab/revoke')).toBe('204');
    expect(await lost.send('GET', '/accounts')).toBe('403 instance_revoked');
    expect(await other.send('GET', '/accounts')).toBe('200');
    const instance = await bank.app.get(TabInstances).get(lost.defender.instanceId ?? '');
    expect(instance?.status).toBe('revoked');
  });

  it('needs a session', async () => {
    const response = await fetch(`${bank.url}/lab/revoke`, { method: 'POST' });
    expect(response.headers.get('tab-error')).toBe('missing_token');
    const { defender } = await signIn();
    await defender.forgetSession();
    const answer = await defender.fetch(`${bank.url}/lab/revoke`, { method: 'POST' });
    expect(answer.headers.get('tab-error')).toBe('invalid_session');
  });

  it('is not for those whom watch mode lets through', async () => {
    const watching = await startLab(folder, { mode: 'monitor' });
    expect((await fetch(`${watching.url}/lab/revoke`, { method: 'POST' })).status).toBe(403);
    await watching.app.close();
  });
});

describe('the app in the browser', () => {
  const transfer = { from: 'alice-current', to: 'bob-current', amount: 100 };

  it('moves money when its own probes are clear', async () => {
    const { send } = await signIn();
    expect(await send('POST', '/transfers', transfer)).toBe('201');
  });

  it.each(PROBES)('moves none when %s was not looked for', async (missing) => {
    const { send, report } = await signIn();
    report.clear = report.clear.filter((name) => name !== missing);
    expect(await send('POST', '/transfers', transfer)).toBe('403 insufficient_trust');
  });

  it('is suspended for hooks, and does not recover with its key', async () => {
    const { send, report, defender } = await signIn();
    report.found = ['hooking'];
    report.clear = PROBES.filter((name) => name !== 'hooking');
    expect(await send('POST', '/transfers', transfer)).toBe('403 insufficient_trust');
    report.found = [];
    report.clear = [...PROBES];
    expect(await send('POST', '/transfers', transfer)).toBe('403 instance_suspended');
    await expect(defender.enrol()).rejects.toMatchObject({ tabError: 'instance_suspended' });
    await expect(defender.retire()).rejects.toMatchObject({ tabError: 'instance_suspended' });
  });

  it('is refused for a robot only while it drives', async () => {
    const { send, report } = await signIn();
    report.found = ['automation'];
    expect(await send('POST', '/transfers', transfer)).toBe('403 insufficient_trust');
    report.found = [];
    expect(await send('POST', '/transfers', transfer)).toBe('201');
  });
});
