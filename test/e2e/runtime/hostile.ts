import { execFileSync, spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll } from 'vitest';

/** What all probes of a process say; names sorted. */
export interface Report {
  readonly found: string[];
  readonly clear: string[];
  readonly unknown: string[];
}

/** How a process is started; by default as any app. */
export interface Start {
  /** Options of Node. */
  readonly options?: string[];
  readonly env?: Record<string, string>;
  /** What Node is started by, such as `strace`. */
  readonly by?: string[];
  /** JavaScript that the app runs once it has loaded the Defender, and before it measures. */
  readonly after?: string;
  /** JavaScript of the options of `nodeProbes`, in place of those with the app's own manifest. */
  readonly look?: string;
}

/** A process that measures whenever it is told to. */
export interface Running {
  readonly pid: number;
  measure(): Promise<Report>;
  end(): void;
}

const LIB = fileURLToPath(new URL('../../../lib/defender/node/index.ts', import.meta.url));
const ALL = ['automation', 'debugger', 'hooking', 'memory-tamper', 'remote-control', 'tamper', 'time-spoof'];

/** The report of a process in which exactly `found` is wrong. */
export const exactly = (...found: string[]): Report => ({
  found,
  clear: ALL.filter((name) => !found.includes(name)),
  unknown: [],
});

/** An app that uses the Defender, as plain JavaScript in a folder of its own, with its manifest beside it. */
export function useApp() {
  const folder = mkdtempSync(join(tmpdir(), 'tab-runtime-'));
  const app = {
    folder,
    put(name: string, text: string): string {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    },
    /** A shared library made of C; one that stays when Node finds that it is no module of its own. */
    library(name: string, source: string): string {
      const target = join(folder, `${name}.so`);
      execFileSync('gcc', [
        '-shared',
        '-fPIC',
        '-Wl,-z,nodelete',
        '-o',
        target,
        app.put(`${name}.c`, source),
        '-ldl',
        '-lpthread',
      ]);
      return target;
    },
    /** Starts, measures once, ends. */
    async report(start: Start = {}): Promise<Report> {
      const running = app.start(start);
      try {
        return await running.measure();
      } finally {
        running.end();
      }
    },
    start: (start: Start = {}): Running => launch(folder, start),
  };
  beforeAll(async () => {
    await build({
      configFile: false,
      logLevel: 'silent',
      ssr: { noExternal: true },
      build: {
        ssr: LIB,
        outDir: join(folder, 'app'),
        target: 'node20',
        rolldownOptions: { output: { entryFileNames: 'tab.mjs' } },
      },
    });
    app.put('app/main.mjs', 'export const main = () => 1;\n');
    app.put(
      'manifest.mjs',
      `import { writeFileSync } from 'node:fs'; import { createManifest } from './app/tab.mjs';
      writeFileSync(process.argv[2], JSON.stringify(await createManifest(process.argv[3])));`,
    );
    execFileSync(process.execPath, [join(folder, 'manifest.mjs'), join(folder, 'manifest.json'), join(folder, 'app')]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return app;
}

/** Whether a program can be started here. */
export function has(program: string, ...args: string[]): boolean {
  return spawnSync(program, args.length > 0 ? args : ['--version'], { stdio: 'ignore' }).status === 0;
}

let scripts = 0;

function launch(folder: string, { options = [], env = {}, by = [], after = '', look }: Start): Running {
  const own = `{ tamper: { root: ${JSON.stringify(join(folder, 'app'))}, manifest: ${JSON.stringify(join(folder, 'manifest.json'))} } }`;
  const script = join(folder, `run-${(scripts += 1)}.mjs`);
  writeFileSync(
    script,
    `import { createInterface } from 'node:readline';
    import { createRequire } from 'node:module';
    import { nodeProbes } from './app/tab.mjs';
    const say = process.stdout.write.bind(process.stdout), stringify = JSON.stringify;
    const require = createRequire(import.meta.url);
    const probes = nodeProbes(${look ?? own});
    ${after}
    for await (const line of createInterface({ input: process.stdin })) {
      const answers = await Promise.all(probes.map(async (probe) => [probe.name, await probe.run()]));
      const of = (wanted) => answers.filter(([, answer]) => answer === wanted).map(([name]) => name).sort();
      say('REPORT ' + stringify({ found: of('found'), clear: of('clear'), unknown: of('unknown') }) + '\\n');
    }`,
  );
  const [program, ...args] = [...by, process.execPath, ...options, script];
  const child = spawn(program ?? process.execPath, args, {
    env: { PATH: process.env['PATH'], ...env } as NodeJS.ProcessEnv,
  });
  const reports = reader(child);
  return {
    pid: child.pid ?? 0,
    measure() {
      child.stdin.write('measure\n');
      return reports();
    },
    end: () => void child.stdin.end(),
  };
}

/** The reports that a process writes, one after the other. */
function reader(child: ChildProcessWithoutNullStreams): () => Promise<Report> {
  let output = '';
  let errors = '';
  let taken = 0;
  let wake = () => undefined as void;
  let ended = false;
  child.stdout.on('data', (chunk: Buffer) => ((output += chunk.toString()), wake()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.on('error', (error) => ((errors += String(error)), (ended = true), wake()));
  child.on('close', () => ((ended = true), wake()));
  return async () => {
    for (;;) {
      const found = [...output.matchAll(/REPORT (\{.*\})\n/g)][taken]?.[1];
      if (found !== undefined) {
        taken += 1;
        return JSON.parse(found) as Report;
      }
      if (ended) throw new Error(`the process ended without a report: ${errors}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
}
