import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { url as inspectorUrl } from 'node:inspector';
import { setImmediate } from 'node:timers/promises';
import { changedBuiltins } from './builtins.js';

/** What the probes look at; injectable, so that they can be tested, and run for another process. */
export interface ProcessFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly execArgv: readonly string[];
  /** The arguments, after the executable. */
  readonly argv: readonly string[];
  readonly platform: string;
  /** Whether this is Electron, whose command line has the options of Chromium beside those of Node. */
  readonly electron: boolean;
  /** The parent's process id. */
  readonly ppid: number;
  /** The real and the effective user id; none on Windows. */
  readonly userIds: () => readonly number[];
  /** The address of the active inspector, if it is active. */
  readonly inspectorUrl: () => string | undefined;
  /** The text of `/proc/self/status`; asked for on Linux only. */
  readonly readStatus: () => Promise<string>;
  /** The text of a file, its first 8 KiB where `start` is true; undefined when there is no such file. */
  readonly read: (path: string, start?: boolean) => Promise<string | undefined>;
  /** The names in a folder. */
  readonly list: (path: string) => Promise<readonly string[]>;
  /** The names of the processes that can be seen, as `/proc/<pid>/comm` has them; asked for on Linux only. */
  readonly processes: (signal?: AbortSignal) => Promise<readonly string[]>;
  /** Those of `names` (see `builtins.ts`) that are not what Node made them. */
  readonly changed: (names: readonly string[]) => Promise<readonly string[]>;
  /** The wall clock, and one that nobody sets; milliseconds. */
  readonly wallClock: () => number;
  readonly monotonic: () => number;
  /** What the wall clock showed when the monotonic one began. */
  readonly timeOrigin: number;
}

/**
 * What lies here the kernel makes up in memory: reading it takes some ten microseconds, where asking a thread of the pool to
 * read it takes longer than that on an idle machine, and milliseconds on a busy one.
 */
const PROC = '/proc';
const START = 8192;
/** Processes read before the loop gets a turn: a fraction of a millisecond. */
const AT_ONCE = 32;
/** A file that is not there, or a process that ended while it was looked at. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ESRCH']);

// Taken now: what replaces them later does not answer for them.
const wallClock = Date.now;
const monotonic = performance.now.bind(performance);
const { timeOrigin } = performance;

/** The facts of this process, with `overrides` in their place. */
export function processFacts(overrides: Partial<ProcessFacts> = {}): ProcessFacts {
  return {
    env: process.env,
    execArgv: process.execArgv,
    argv: process.argv.slice(1),
    platform: process.platform,
    electron: process.versions['electron'] !== undefined,
    ppid: process.ppid,
    userIds: () => [process.getuid?.(), process.geteuid?.()].filter((id) => id !== undefined),
    inspectorUrl,
    readStatus: async () => readFileSync('/proc/self/status', 'utf8'),
    read: readText,
    list: async (path) => (path.startsWith(PROC) ? readdirSync(path) : readdir(path)),
    processes: processNames,
    changed: changedBuiltins,
    wallClock,
    monotonic,
    timeOrigin,
    ...overrides,
  };
}

async function readText(path: string, start = false): Promise<string | undefined> {
  try {
    if (path.startsWith(PROC)) return start ? readStartNow(path, START) : readFileSync(path, 'utf8');
    return await (start ? readStart(path) : readFile(path, 'utf8'));
  } catch (error) {
    return absent(error);
  }
}

async function readStart(path: string): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(START), 0, START, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

function readStartNow(path: string, length: number): string {
  const bytes = Buffer.alloc(length);
  const file = openSync(path, 'r');
  try {
    return bytes.toString('utf8', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

function absent(error: unknown): undefined {
  if (!ABSENT.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
}

async function processNames(signal?: AbortSignal): Promise<string[]> {
  const ids = readdirSync(PROC).filter((name) => /^\d+$/.test(name));
  const names: string[] = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    signal?.throwIfAborted();
    names.push(...ids.slice(at, at + AT_ONCE).map(processName));
    await setImmediate();
  }
  return names;
}

/** Empty for a process that has ended. */
function processName(id: string): string {
  try {
    return readStartNow(`${PROC}/${id}/comm`, 64).trim();
  } catch (error) {
    return absent(error) ?? '';
  }
}
