import { execFile, fork, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../utils/http/app.js';

const ROOT = new URL('../../', import.meta.url);
/** What all nodes answer to, whatever port they listen on. */
export const ORIGIN = 'https://api.example';
/** What their challenges and proof keys are made from. */
export const SECRET = 'a secret that all nodes of the cluster share';
/** Milliseconds in which a node has to come up, or to go. */
const PATIENCE = 30_000;

/** The library built into a folder of its own, below `node_modules` so that its imports resolve. */
export interface Build {
  readonly url: string;
  remove(): void;
}

/** Builds the library without checking types, which is `npm run typecheck`'s business. */
export async function buildLibrary(): Promise<Build> {
  const folder = new URL(`node_modules/.cache/nestjs-tab-cluster-${process.pid}/`, ROOT);
  const [tsc, config] = ['node_modules/typescript/bin/tsc', 'tsconfig.build.json'].map((path) =>
    fileURLToPath(new URL(path, ROOT)),
  );
  const args = [
    tsc ?? '',
    '-p',
    config ?? '',
    '--noCheck',
    '--declaration',
    'false',
    '--outDir',
    fileURLToPath(folder),
  ];
  await promisify(execFile)(process.execPath, args);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL('package.json', folder), '{ "type": "module" }\n');
  return {
    url: pathToFileURL(fileURLToPath(folder)).href,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A running node. */
export interface ClusterNode {
  readonly port: number;
  /** Suspends or revokes an instance through this node; resolves once the call has returned there. */
  end(act: 'suspend' | 'revoke', id: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts what serves the fixture application.
 *
 * @param program `node`: one process; `cluster`: two workers of `node:cluster` behind one port
 */
export async function startNode(
  build: Build,
  adapter: 'express' | 'fastify',
  database: object,
  program: 'node' | 'cluster' = 'node',
): Promise<ClusterNode> {
  const port = await freePort();
  const settings = JSON.stringify({ build: build.url, port, adapter, origin: ORIGIN, secret: SECRET, database });
  const fixture = fileURLToPath(new URL(`./fixtures/${program}.mjs`, import.meta.url));
  // The options of the test runner are not for the application.
  const child = fork(fixture, [settings], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await listening(child);
  return { port, end: (act, id) => end(child, act, id), stop: () => stop(child) };
}

async function listening(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`a node ended with ${String(code)}`)));
  await Promise.race([once(child, 'message', { signal: AbortSignal.timeout(PATIENCE) }), ended]);
  ended.catch(() => undefined);
}

async function end(child: ChildProcess, act: 'suspend' | 'revoke', id: string): Promise<void> {
  const done = once(child, 'message', { signal: AbortSignal.timeout(PATIENCE) });
  child.send({ act, id });
  await done;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  const impatience = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  child.send('stop');
  await ended;
  clearTimeout(impatience);
}
