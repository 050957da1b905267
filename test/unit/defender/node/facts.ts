import type { ProcessFacts } from '../../../../lib/defender/node/index.js';

/** A process on Linux in which nothing is wrong. */
export function facts(override: Partial<ProcessFacts> = {}): ProcessFacts {
  return {
    env: {},
    execArgv: [],
    argv: ['app.js'],
    platform: 'linux',
    electron: false,
    ppid: 7,
    userIds: () => [1000, 1000],
    inspectorUrl: () => undefined,
    readStatus: async () => 'Name:\tnode\nTracerPid:\t0\nUid:\t1000\t1000\t1000\t1000\n',
    read: files({}),
    list: async () => [],
    processes: async () => ['systemd', 'node'],
    changed: async () => [],
    wallClock: () => 1_800_000_000_000,
    monotonic: () => 0,
    timeOrigin: 1_800_000_000_000,
    ...override,
  };
}

/** A file system with these files, and the parent of the process. */
export function files(content: Readonly<Record<string, string>>): ProcessFacts['read'] {
  const all: Readonly<Record<string, string>> = {
    '/proc/7/status': 'Name:\tsystemd\nPPid:\t0\n',
    '/proc/self/maps': '7f r-xp /usr/bin/node\n',
    ...content,
  };
  return async (path) => all[path];
}
