import { randomUUID } from 'node:crypto';
import { link, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { DefenderError } from '../defender-error.js';

/** Milliseconds. Work under a lock takes a few: an older lock was left behind by a process that ended. */
const STALE = 10_000;
/** Milliseconds between two tries, and how often it is tried: longer than a lock that is left behind lasts. */
const PAUSE = 10;
const TRIES = 1500;
/** The name is taken; on Windows also: it is just being removed. */
const TAKEN = new Set(process.platform === 'win32' ? ['EEXIST', 'EPERM', 'EACCES', 'EBUSY'] : ['EEXIST']);

/**
 * Runs `work` while no other process, and no other call in this one, does so for `path`: a file beside it, `.lock`, is
 * there meanwhile. `work` calls `ensureHeld` right before it changes something: a process that stood still for too long
 * has lost the lock.
 * @throws DefenderError `key_store` when the lock cannot be had, or was lost
 */
export async function withLock<Result>(
  path: string,
  work: (ensureHeld: () => Promise<void>) => Promise<Result>,
): Promise<Result> {
  const name = `${path}.lock`;
  const lock = await acquire(name);
  const ensureHeld = async () => {
    if (!(await isHeld(name, lock))) throw new DefenderError('key_store', `${name} was lost to another process`);
  };
  try {
    return await work(ensureHeld);
  } finally {
    if (await isHeld(name, lock)) await rm(name, { force: true });
    await lock.close();
  }
}

async function acquire(name: string): Promise<FileHandle> {
  for (let turn = 0; turn < TRIES; turn += 1) {
    const lock = await open(name, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
      if (TAKEN.has(cause.code ?? '')) return undefined;
      throw new DefenderError('key_store', `${name} cannot be made`, { cause });
    });
    if (lock) return lock;
    await removeStale(name);
    await setTimeout(PAUSE);
  }
  throw new DefenderError('key_store', `${name} is held by another process`);
}

/** The file stays open while it is held, so that its number is not given to another one. */
async function isHeld(name: string, lock: FileHandle): Promise<boolean> {
  const there = await stat(name, { bigint: true }).catch(() => undefined);
  const own = await lock.stat({ bigint: true });
  return there !== undefined && there.ino === own.ino && there.dev === own.dev;
}

async function removeStale(name: string): Promise<void> {
  if (!(await isStale(name))) return;
  // Moved first: of several processes that see the same one, only one moves it.
  const aside = `${name}.${randomUUID()}`;
  const moved = await rename(name, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  try {
    // Another process was faster, and this is its new one.
    if (!(await isStale(aside))) await link(aside, name).catch(() => undefined);
  } finally {
    await rm(aside, { force: true });
  }
}

/** Also one from the future: the clock has been set since. */
async function isStale(name: string): Promise<boolean> {
  const there = await stat(name).catch(() => undefined);
  return there !== undefined && Math.abs(Date.now() - there.mtimeMs) > STALE;
}
