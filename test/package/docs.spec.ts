import 'reflect-metadata';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Block {
  readonly language: string;
  readonly code: string;
  /** From a first line such as `// main.ts`. */
  readonly file: string | undefined;
}

const PAGES = ['README.md', 'SECURITY.md', ...readdirSync('docs').map((name) => join('docs', name))].filter((name) =>
  name.endsWith('.md'),
);

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
        const known = (block.language === 'ts' && block.file !== undefined) || block.language === 'sh';
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
    for (const file of ['credential.ts', 'attested.ts', 'graded.ts', 'signals.ts']) {
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

  it('defender: both clients are made', async () => {
    const load = publish('docs/defender.md', await freePort());
    process.chdir(workplace);
    const node = (await load('node-client.ts')) as { manifest: { files: object } };
    expect(Object.keys(node.manifest.files)).toEqual(['main.js']);
    const probe = (await load('probe.ts')) as { defender: { ready(): Promise<string> } };
    expect(await probe.defender.ready()).toMatch(/^[\w-]{43}$/);
    process.chdir(home);
  });
});

async function start(metadata: Parameters<typeof Test.createTestingModule>[0]): Promise<INestApplication> {
  const app = (await Test.createTestingModule(metadata).compile()).createNestApplication({
    rawBody: true,
    logger: false,
  });
  return app.init();
}
