import childProcess from 'node:child_process';
import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import module from 'node:module';
import net from 'node:net';
import tls from 'node:tls';
import vm from 'node:vm';
import { pristineTexts } from './pristine.js';
import { words } from './words.js';

/** What a request goes through on its way out, and what the Defender itself stands on: properties by owner. */
const MEMORY: Readonly<Record<string, string>> = {
  '': 'fetch Headers Request Response URL TextEncoder TextDecoder Uint8Array Promise Date atob btoa structuredClone setTimeout',
  JSON: 'parse stringify',
  Date: 'now',
  Math: 'random',
  Object: 'defineProperty getOwnPropertyDescriptor',
  Reflect: 'apply get',
  performance: 'now',
  crypto: 'getRandomValues randomUUID',
  'crypto.subtle': 'sign verify digest importKey exportKey generateKey',
  'Function.prototype': 'toString call apply',
  'Promise.prototype': 'then',
  'Array.prototype': 'map join',
  'RegExp.prototype': 'exec test',
  'String.prototype': 'split',
  'TextEncoder.prototype': 'encode',
  'TextDecoder.prototype': 'decode',
  'Headers.prototype': 'get set append has',
  'Request.prototype': 'url headers arrayBuffer clone',
  'Response.prototype': 'headers json text',
  'node:http': 'request get',
  'node:http.ClientRequest.prototype': 'end',
  'node:http.OutgoingMessage.prototype': 'write setHeader',
  'node:https': 'request get',
  'node:net': 'connect',
  'node:net.Socket.prototype': 'connect write',
  'node:tls': 'connect checkServerIdentity createSecureContext',
  'node:child_process': 'spawn',
  'node:fs': 'readFileSync readFile open',
  'node:fs/promises': 'readFile readdir open',
};

/** What a module goes through on its way in. */
const LOADER: Readonly<Record<string, string>> = {
  'node:module': '_load _resolveFilename _findPath _nodeModulePaths _extensions wrap createRequire',
  'node:module.prototype': 'require load _compile',
  'node:module._extensions': '.js .json .node',
};

/** The names that `memoryTamperProbe` knows, such as `fetch`, `crypto.subtle.sign` and `node:http.request`. */
export const MEMORY_BUILTINS: readonly string[] = namesOf(MEMORY);

/** The names of the module loader's functions that `hookingProbe` knows, such as `node:module._load`. */
export const LOADER_BUILTINS: readonly string[] = namesOf(LOADER);

/** The way to a property: what was met on it, and the property itself. */
interface Place {
  readonly way: readonly unknown[];
  readonly property: PropertyDescriptor | undefined;
}

const MODULES: Readonly<Record<string, object>> = {
  'node:child_process': childProcess,
  'node:fs': fs,
  'node:fs/promises': fsPromises,
  'node:http': http,
  'node:https': https,
  'node:module': module,
  'node:net': net,
  'node:tls': tls,
};

// The text of a function as another realm tells it: who patches toString here has not patched it there.
const textOf = vm.runInNewContext('(f) => Function.prototype.toString.call(f)') as (f: unknown) => string;
const reach = Object.getOwnPropertyDescriptor;
const parentOf = Object.getPrototypeOf as (value: unknown) => unknown;
const electron = process.versions['electron'] !== undefined;

/** As everything was when the Defender was loaded. */
const AT_START = new Map([...MEMORY_BUILTINS, ...LOADER_BUILTINS].map((name) => [name, locate(name)]));

/** Those whose text at the start differs from that in a fresh thread; settled once. */
let bornDifferent: Promise<ReadonlySet<string>> | undefined;

/**
 * Those of `names` that are not what Node made them: replaced since this module was loaded, or with another source text
 * than in a fresh thread of the same Node. Electron changes Node in the main thread only, so there the first says all.
 * @throws Error when no fresh thread can be started
 */
export async function changedBuiltins(names: readonly string[]): Promise<readonly string[]> {
  bornDifferent ??= compareWithFresh().catch((error: unknown) => {
    bornDifferent = undefined;
    throw error;
  });
  const different = await bornDifferent;
  return names.filter((name) => {
    const start = AT_START.get(name);
    return !start || different.has(name) || !samePlace(start, locate(name));
  });
}

async function compareWithFresh(): Promise<ReadonlySet<string>> {
  if (electron) return new Set();
  const fresh = await pristineTexts([...AT_START.keys()]);
  const pairs = [...AT_START].map(([name, { property }]): [string, string] => [name, describe(property)]);
  return new Set(pairs.filter(([name, text]) => fresh[name] !== text).map(([name]) => name));
}

/** What the source of a property is: a function's text, or its getter's. As `pristine.ts` has it. */
function describe(property: PropertyDescriptor | undefined): string {
  const subject: unknown = property?.get ?? property?.value;
  return typeof subject === 'function' ? textOf(subject) : typeof subject;
}

function samePlace(a: Place, b: Place): boolean {
  const sameWay = a.way.length === b.way.length && a.way.every((step, index) => step === b.way[index]);
  return sameWay && sameProperty(a.property, b.property);
}

function sameProperty(a: PropertyDescriptor | undefined, b: PropertyDescriptor | undefined): boolean {
  return a?.value === b?.value && a?.get === b?.get && a?.set === b?.set;
}

/** Finds `name` the way that code does: by its own properties first, then by those of its prototypes. */
function locate(name: string): Place {
  const [first, ...path] = parts(name);
  const way: unknown[] = [MODULES[first ?? ''] ?? globalThis];
  const steps = name.startsWith('node:') ? path : [first ?? '', ...path];
  const last = steps.pop() ?? '';
  for (const step of steps) way.push((way.at(-1) as Record<string, unknown> | undefined)?.[step]);
  const holder = way.at(-1);
  // Node defines some globals at their first use.
  if (holder === globalThis) void (globalThis as Record<string, unknown>)[last];
  return { way, property: inherited(holder, last) };
}

/** `node:module._extensions..js` has a key with a dot. */
function parts(name: string): string[] {
  return name
    .replace(/\.\.(\w+)$/, '.\0$1')
    .split('.')
    .map((part) => part.replace('\0', '.'));
}

function inherited(holder: unknown, key: string): PropertyDescriptor | undefined {
  for (let at = holder; at !== null && at !== undefined; at = parentOf(at)) {
    const own = reach(at, key);
    if (own) return own;
  }
  return undefined;
}

function namesOf(table: Readonly<Record<string, string>>): string[] {
  const under = ([owner, names]: [string, string]) => words(names).map((name) => (owner ? `${owner}.${name}` : name));
  return Object.entries(table).flatMap(under);
}
