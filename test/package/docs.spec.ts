import 'reflect-metadata';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { serviceAvailable } from '../utils/services.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Defender } from '../../lib/defender/index.js';
import { aBridge } from '../unit/defender/bridge/fake-bridge.js';
import { checkTalsecTable, Outline, rowsOf } from './native-outlines.js';

interface Block {
  readonly language: string;
  readonly code: string;
  /** From a first line such as `// main.ts`. */
  readonly file: string | undefined;
}

const PAGES = ['README.md', 'SECURITY.md', ...readdirSync('docs').map((name) => join('docs', name))].filter((name) =>
  name.endsWith('.md'),
);

/** The one page with outlines for platforms that cannot be run here; `native-outlines.ts` holds them to the conformance file. */
const NATIVE = join('docs', 'native.md');

function blocksOf(page: string): Block[] {
  return [...readFileSync(page, 'utf8').matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', code = '']) => ({
    language,
    code,
    file: /^\/\/ (\S+\.ts)\n/.exec(code)?.[1],
  }));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// Inside the project, so that the blocks are compiled as its own files are and find the package by its name.
const folder = join(process.cwd(), 'test', 'package', `.docs-${process.pid}`);
const workplace = mkdtempSync(join(tmpdir(), 'tab-docs-'));
const home = process.cwd();

/** Writes all blocks of a page, port 3000 replaced by a free one, and returns a loader by file name. */
function publish(page: string, port: number): (file: string) => Promise<Record<string, unknown>> {
  const target = join(folder, page.replaceAll(/[^a-z]/gi, '-'));
  mkdirSync(target, { recursive: true });
  for (const { file, code } of blocksOf(page)) {
    if (file !== undefined) writeFileSync(join(target, file), code.replaceAll('3000', String(port)));
  }
  return (file) => import(join(target, file)) as Promise<Record<string, unknown>>;
}

beforeAll(() => {
  mkdirSync(join(workplace, 'app'));
  writeFileSync(join(workplace, 'app', 'main.js'), 'export {};\n');
});

afterAll(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
  rmSync(workplace, { recursive: true, force: true });
});

describe('documentation', () => {
  it('has no block that this test does not run', () => {
    for (const page of PAGES) {
      for (const block of blocksOf(page)) {
        const outline = page === NATIVE && (block.language === 'kotlin' || block.language === 'swift');
        const known = (block.language === 'ts' && block.file !== undefined) || block.language === 'sh' || outline;
        expect(known, `${page}: a block of ${block.language || 'no language'}`).toBe(true);
      }
    }
  });

  it('gives exactly the two commands, and they exist', () => {
    const commands = blocksOf('README.md')
      .filter(({ language }) => language === 'sh')
      .map(({ code }) => code.trim());
    expect(commands).toEqual(['npm ci && npm start', 'npm ci && npm test']);
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['start', 'test', 'demo']));
  });

  it('quick start: the client gets through to the guarded route', async () => {
    const load = publish('README.md', await freePort());
    const { app } = (await load('main.ts')) as { app: INestApplication };
    try {
      const { answer } = (await load('client.ts')) as { answer: Response };
      expect(answer.status).toBe(200);
      expect(await answer.json()).toEqual({ instance: expect.stringMatching(/^[\w-]{43}$/) as string });
    } finally {
      await app.close();
    }
  });

  it('guide: modules start with the controllers and providers shown', async () => {
    const load = publish('docs/guide.md', await freePort());
    const { tab, AccountsController } = (await load('requirements.ts')) as never as {
      tab: never;
      AccountsController: never;
    };
    const { AuthController } = (await load('sessions.ts')) as never as { AuthController: never };
    const { DecisionLog } = (await load('decisions.ts')) as never as { DecisionLog: never };
    const app = await start({
      imports: [tab],
      controllers: [AccountsController, AuthController],
      providers: [DecisionLog],
    });
    await app.close();
    const passport = (await load('passport.ts')) as never as { providers: never[]; AccountsController: never };
    for (const file of ['credential.ts', 'attested.ts', 'graded.ts', 'signals.ts', 'proof-keys.ts']) {
      const module = (await load(file)) as never as { tab: never };
      const other = await start({
        imports: [module.tab],
        providers: passport.providers,
        controllers: [passport.AccountsController],
      });
      expect(other.getHttpServer()).toBeDefined();
      await other.close();
    }
  });

  it('stores: the TypeORM module starts and the contract holds', async () => {
    const load = publish('docs/stores.md', await freePort());
    const { AppModule } = (await load('typeorm.ts')) as never as { AppModule: never };
    const app = await start({ imports: [AppModule] });
    await app.close();
    await expect(load('contract.ts')).resolves.toBeDefined();
  });

  it('stores: the Redis modules start where there is a Redis', async (context) => {
    if (!(await serviceAvailable('redis'))) return context.skip();
    const load = publish('docs/stores.md', await freePort());
    const { AppModule, redis } = (await load('redis.ts')) as never as {
      AppModule: never;
      redis: { disconnect(): void };
    };
    const app = await start({ imports: [AppModule] });
    await app.close();
    redis.disconnect();
    expect(await load('redis-and-sql.ts')).toBeDefined();
  });

  it('stores: the health endpoint is up', async () => {
    const load = publish('docs/stores.md', await freePort());
    const { HealthModule, HealthController } = (await load('health.ts')) as never as {
      HealthModule: never;
      HealthController: new (...args: never[]) => { read(): Promise<unknown> };
    };
    const app = await start({ imports: [HealthModule] });
    expect(await app.get(HealthController).read()).toMatchObject({
      status: 'ok',
      details: { tab: { status: 'up', nonces: 'up', bindings: 'up' } },
    });
    await app.close();
  });

  it('attestation: the formats start, and an attester of one’s own judges', async () => {
    const load = publish('docs/attestation.md', await freePort());
    const { tab } = (await load('formats.ts')) as never as { tab: never };
    const app = await start({ imports: [tab] });
    await app.close();
    const { factoryAttestation } = (await load('own-attester.ts')) as never as {
      factoryAttestation: (secretOf: () => Promise<Buffer>) => { examine(input: unknown): () => Promise<unknown> };
    };
    const [secret, binding] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    const mac = createHmac('sha256', secret).update(binding).digest('base64url');
    const attester = factoryAttestation(() => Promise.resolve(secret));
    const input = { statement: { serial: 'AB12CD34', mac }, binding, app: { id: 'a' }, now: 1 };
    expect(await attester.examine(input)()).toMatchObject({ keyBound: true });
    await expect(attester.examine({ ...input, binding: Buffer.alloc(32) })()).rejects.toMatchObject({ check: 'mac' });
    const { makeDefender } = (await load('assertion.ts')) as { makeDefender: (...args: unknown[]) => Defender };
    expect(await makeDefender(() => Promise.resolve('AA==')).ready()).toMatch(/^[\w-]{43}$/);
  });

  it('defender: both clients are made', async () => {
    const load = publish('docs/defender.md', await freePort());
    process.chdir(workplace);
    const node = (await load('node-client.ts')) as { manifest: { files: object } };
    expect(Object.keys(node.manifest.files)).toEqual(['main.js']);
    const probe = (await load('probe.ts')) as { defender: { ready(): Promise<string> } };
    expect(await probe.defender.ready()).toMatch(/^[\w-]{43}$/);
    expect(await load('status.ts')).toMatchObject({ defender: { status: 'new' }, decisions: [] });
    for (const file of ['axios-client.ts', 'feed.ts', 'electron-main.ts'])
      await expect(load(file)).resolves.toBeDefined();
    process.chdir(home);
  });
});

describe('native apps', () => {
  const outline = (language: Outline['language']) =>
    new Outline(language, blocksOf(NATIVE).find((block) => block.language === language)?.code ?? '');

  it('in a shell: the Defender has the shell’s key, on both platforms', async () => {
    const load = publish(NATIVE, await freePort());
    const { makeDefender } = (await load('native.ts')) as { makeDefender: (...args: unknown[]) => Defender };
    const bridge = aBridge();
    const startRasp = vi.fn();
    const defender = makeDefender('ios', bridge, startRasp);
    expect(await defender.ready()).toMatch(/^[\w-]{43}$/);
    expect(bridge.keys.size).toBe(1);
    expect(startRasp).toHaveBeenCalledOnce();
    expect(makeDefender('android', bridge, startRasp)).toBeInstanceOf(Defender);
  });

  it('the RASP table is what talsecProbe does', async () => {
    const rows = rowsOf(readFileSync(NATIVE, 'utf8'), '| freeRASP | platforms | threat | made |');
    await checkTalsecTable(rows);
  });

  describe.each(['kotlin', 'swift'] as const)('%s outline', (language) => {
    it('says that it is one, and its brackets match', () => outline(language).checkForm());
    it('makes thumbprints as the conformance file does', () => outline(language).checkThumbprints());
    it('makes enrolment bindings as the conformance file does', () => outline(language).checkEnrolmentBindings());
    it('has the headers, types and claims of the protocol', () => outline(language).checkConstants());
    it('makes P-256 keys and SHA-256 signatures of r ‖ s', () => outline(language).checkSignatures());
  });
});

it('protocol: the example agrees with the conformance file', async () => {
  const load = publish(join('docs', 'protocol.md'), await freePort());
  expect((await load('check-binding.ts')).wrong).toEqual([]);
});

async function start(metadata: Parameters<typeof Test.createTestingModule>[0]): Promise<INestApplication> {
  const app = (await Test.createTestingModule(metadata).compile()).createNestApplication({
    rawBody: true,
    logger: false,
  });
  return app.init();
}
