import { Worker } from 'node:worker_threads';

/**
 * What the fresh thread runs: finds each name as `builtins.ts` does, and tells its text. Plain JavaScript of its own, so that
 * no bundler and no patch of this thread comes along.
 */
const SCRIPT = `'use strict';
const { parentPort, workerData } = require('node:worker_threads');
const text = (f) => typeof f === 'function' ? Function.prototype.toString.call(f) : typeof f;
const find = (name) => {
  const path = name.replace(/\\.\\.(\\w+)$/, '.\\0$1').split('.').map((part) => part.replace('\\0', '.'));
  let holder = name.startsWith('node:') ? require(path.shift()) : globalThis;
  const last = path.pop();
  for (const step of path) holder = holder?.[step];
  if (holder === globalThis) void globalThis[last];
  for (let at = holder; at !== null && at !== undefined; at = Object.getPrototypeOf(at)) {
    const own = Object.getOwnPropertyDescriptor(at, last);
    if (own) return text(own.get ?? own.value);
  }
  return 'undefined';
};
parentPort.postMessage(Object.fromEntries(workerData.map((name) => [name, find(name)])));`;

// Taken now, as everything that the probes look with.
const Thread = Worker;

/**
 * The source texts of built-in functions in a thread where no preload has run: it starts without options and without
 * environment. A wrapper has another text than what it wraps.
 */
export function pristineTexts(names: readonly string[]): Promise<Readonly<Record<string, string>>> {
  return new Promise((resolve, reject) => {
    const thread = new Thread(SCRIPT, { eval: true, execArgv: [], env: {}, workerData: names });
    thread.once('message', resolve).once('error', reject);
    thread.once('exit', () => reject(new Error('The fresh thread ended without an answer')));
  });
}
