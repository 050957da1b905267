import { describe, expect, it } from 'vitest';
import {
  automationProbe,
  emulatorProbe,
  memoryTamperProbe,
  remoteControlProbe,
  rootProbe,
  timeSpoofProbe,
  type EmulatorProbeOptions,
  type ProcessFacts,
  type TimeSpoofProbeOptions,
} from '../../../../lib/defender/node/index.js';
import { facts, files } from './facts.js';

const denied = () => Promise.reject(new Error('EACCES'));

describe('root', () => {
  const status = (ids: string) => ({ readStatus: async () => `Name:\tnode\nUid:\t${ids}\n` });
  it.each<[string, Partial<ProcessFacts>, string]>([
    ['a user', {}, 'clear'],
    ['root', status('0\t0\t0\t0'), 'found'],
    ['a user who runs as root', status('1000\t0\t0\t0'), 'found'],
    ['root who can come back', status('1000\t1000\t0\t1000'), 'found'],
    ['a status without ids', { readStatus: async () => 'Name:\tnode\n' }, 'unknown'],
    ['another platform', { platform: 'darwin', readStatus: denied }, 'clear'],
    ['root of another platform', { platform: 'darwin', userIds: () => [501, 0] }, 'found'],
    ['Windows', { platform: 'win32', userIds: () => [] }, 'unknown'],
  ])('%s', async (_, override, result) => {
    expect(await rootProbe(facts(override)).run()).toBe(result);
  });
});

describe('emulator', () => {
  const plain = { '/proc/1/cgroup': '0::/init.scope\n', '/proc/cpuinfo': 'flags\t\t: fpu vme\n' };
  it.each<[string, Record<string, string>, string, EmulatorProbeOptions?]>([
    ['a machine', {}, 'clear'],
    ['Docker', { '/.dockerenv': '' }, 'found'],
    ['Podman', { '/run/.containerenv': '' }, 'found'],
    ['Kubernetes', { '/proc/1/cgroup': '0::/kubepods.slice/x\n' }, 'found'],
    ['Docker that does not count', { '/.dockerenv': '' }, 'clear', { containers: false }],
    ['a hypervisor', { '/proc/cpuinfo': 'flags\t\t: fpu hypervisor vme\n' }, 'found'],
    ['a word like it', { '/proc/cpuinfo': 'flags\t\t: fpu nohypervisor\n' }, 'clear'],
    ['QEMU', { '/sys/class/dmi/id/sys_vendor': 'QEMU\n' }, 'found'],
    ['VirtualBox', { '/sys/class/dmi/id/product_name': 'VirtualBox\n' }, 'found'],
    ['a laptop', { '/sys/class/dmi/id/sys_vendor': 'LENOVO\n' }, 'clear'],
    ['a hypervisor that does not count', { '/sys/class/dmi/id/sys_vendor': 'QEMU\n' }, 'clear', { hypervisors: false }],
    ['nothing that counts', {}, 'unknown', { containers: false, hypervisors: false }],
  ])('%s', async (_, more, result, options = {}) => {
    const read = files({ ...plain, ...more });
    expect(await emulatorProbe({ ...options, facts: facts({ read }) }).run()).toBe(result);
  });

  it('where nothing tells, it is unknown', async () => {
    expect(await emulatorProbe({ facts: facts() }).run()).toBe('unknown');
    expect(await emulatorProbe({ containers: false, facts: facts() }).run()).toBe('unknown');
    expect(await emulatorProbe({ facts: facts({ platform: 'darwin' }) }).run()).toBe('unknown');
  });
});

describe('automation', () => {
  const parents = (...names: string[]) => {
    const status = names.map((name, index): [string, string] => {
      const parent = index + 1 < names.length ? 8 + index : 0;
      return [`/proc/${7 + index}/status`, `Name:\t${name}\nUmask:\t0022\nPPid:\t${parent}\n`];
    });
    return { read: files(Object.fromEntries(status)) };
  };
  it.each<[string, Partial<ProcessFacts>, string]>([
    ['nothing', {}, 'clear'],
    ['parents', parents('sh', 'npm', 'systemd'), 'clear'],
    ['chromedriver as parent', parents('chromedriver', 'systemd'), 'found'],
    ['a driver further up', parents('sh', 'sh', 'geckodriver', 'systemd'), 'found'],
    ['a parent that cannot be seen', { read: files({ '/proc/7/status': '' }) }, 'unknown'],
    ['a process without parent', { ppid: 0 }, 'clear'],
    ['WEBDRIVER', { env: { WEBDRIVER: 'true' } }, 'found'],
    [
      'a variable of Selenium that was taken out',
      { read: files({ '/proc/self/environ': 'SELENIUM_HUB=1\0' }) },
      'found',
    ],
    ['where browsers are installed', { env: { PLAYWRIGHT_BROWSERS_PATH: '/x', CYPRESS_CACHE_FOLDER: '/y' } }, 'clear'],
    [
      'what is not downloaded',
      { env: { PUPPETEER_SKIP_DOWNLOAD: '1', PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: '1' } },
      'clear',
    ],
    ['an empty variable', { env: { CYPRESS: '' } }, 'clear'],
    ['a word like it', { env: { MY_CYPRESS: '1', CYPRESSES: '2' } }, 'clear'],
    ['Electron with a debugging port', { electron: true, argv: ['--remote-debugging-port=0', '.'] }, 'found'],
    ['Electron with a debugging pipe', { electron: true, argv: ['--remote-debugging-pipe'] }, 'found'],
    ['Electron', { electron: true, argv: ['.', '--lang=de'] }, 'clear'],
    ['Node that was told the same', { argv: ['a.js', '--remote-debugging-port=0'] }, 'clear'],
    ['another platform, which does not tell its parents', { platform: 'win32', read: denied }, 'unknown'],
    ['another platform with a variable', { platform: 'win32', env: { PLAYWRIGHT_TEST: '1' } }, 'found'],
  ])('%s', async (_, override, result) => {
    expect(await automationProbe({ facts: facts(override) }).run()).toBe(result);
  });

  it('with an allow list: exactly what is on it', async () => {
    const run = (env: Record<string, string>, allow: string[]) =>
      automationProbe({ allow, facts: facts({ env }) }).run();
    expect(await run({ CYPRESS: '1' }, ['CYPRESS'])).toBe('clear');
    expect(await run({ CYPRESS: '1', WEBDRIVER: '1' }, ['CYPRESS'])).toBe('found');
    const driver = facts(parents('chromedriver'));
    expect(await automationProbe({ allow: ['chromedriver'], facts: driver }).run()).toBe('clear');
  });
});

describe('remote-control', () => {
  it.each<[string, Partial<ProcessFacts>, string]>([
    ['nothing', {}, 'clear'],
    ...['x11vnc', 'Xvnc', 'teamviewerd', 'anydesk', 'rustdesk', 'vino-server', 'krfb'].map(
      (name): [string, Partial<ProcessFacts>, string] => [name, { processes: async () => ['sh', name] }, 'found'],
    ),
    ['a name that is cut off', { processes: async () => ['TeamViewer_Desk'] }, 'found'],
    ['what GNOME runs with sharing off', { processes: async () => ['gnome-remote-de'] }, 'clear'],
    ['a word like it', { processes: async () => ['x11vnc-viewer', 'my-anydesk'] }, 'clear'],
    ['an empty list', { processes: async () => [] }, 'unknown'],
    ['another platform', { platform: 'darwin', processes: denied }, 'unknown'],
    ['Remote Desktop on Windows', { platform: 'win32', env: { SESSIONNAME: 'RDP-Tcp#3' } }, 'found'],
    ['the console on Windows', { platform: 'win32', env: { SESSIONNAME: 'Console' } }, 'unknown'],
    ['SSH', { env: { SSH_CONNECTION: '1 2 3 4' } }, 'clear'],
  ])('%s', async (_, override, result) => {
    expect(await remoteControlProbe({ facts: facts(override) }).run()).toBe(result);
  });

  it('with options: SSH counts, a program does not', async () => {
    const ssh = facts({ env: { SSH_CONNECTION: '1 2 3 4' }, processes: async () => ['x11vnc'] });
    expect(await remoteControlProbe({ facts: ssh, ssh: true, allow: ['x11vnc'] }).run()).toBe('found');
    expect(await remoteControlProbe({ facts: ssh, allow: ['x11vnc'] }).run()).toBe('clear');
  });
});

describe('memory-tamper', () => {
  const changed = (...names: string[]) =>
    facts({ changed: async (asked) => names.filter((name) => asked.includes(name)) });

  it('is what is not as Node made it', async () => {
    expect(await memoryTamperProbe({ facts: changed() }).run()).toBe('clear');
    expect(await memoryTamperProbe({ facts: changed('fetch') }).run()).toBe('found');
    expect(await memoryTamperProbe({ facts: changed('node:module._load') }).run()).toBe('clear');
  });

  it('with an allow list: exactly what is on it', async () => {
    expect(await memoryTamperProbe({ allow: ['fetch'], facts: changed('fetch') }).run()).toBe('clear');
    expect(await memoryTamperProbe({ allow: ['fetch'], facts: changed('fetch', 'Date.now') }).run()).toBe('found');
  });

  it('where nothing can be compared, it is an error, which is never clear', async () => {
    await expect((async () => memoryTamperProbe({ facts: facts({ changed: denied }) }).run())()).rejects.toThrow(
      'EACCES',
    );
  });
});

describe('time-spoof', () => {
  /** A machine that starts at 1,000 s on the wall clock; `at(wall, monotonic, skews)` measures. */
  const machine = (options: TimeSpoofProbeOptions = {}, override: Partial<ProcessFacts> = {}) => {
    const clock = { wall: 1000, monotonic: 0 };
    const own = { timeOrigin: 1_000_000, wallClock: () => clock.wall * 1000, monotonic: () => clock.monotonic * 1000 };
    const probe = timeSpoofProbe({ ...options, facts: facts({ ...own, ...override }) });
    return (wall: number, monotonic: number, ...serverSkews: number[]) => {
      Object.assign(clock, { wall, monotonic });
      return probe.run(undefined, { serverSkews });
    };
  };

  it('is clear while both clocks go on', async () => {
    const at = machine();
    expect([await at(1000, 0), await at(1060, 60), await at(4599, 3600)]).toEqual(['clear', 'clear', 'clear']);
  });

  it('a clock that went back is told for an hour', async () => {
    const at = machine();
    expect([await at(1100, 100), await at(1107, 110)]).toEqual(['clear', 'found']);
    expect([await at(4706, 3709), await at(4708, 3711)]).toEqual(['found', 'clear']);
  });

  it('a clock that went back after a sleep is told', async () => {
    const at = machine();
    expect([await at(30_000, 100), await at(29_990, 105)]).toEqual(['clear', 'found']);
  });

  it('a clock that had gone back before the first measurement is told', async () => {
    expect(await machine()(900, 10)).toBe('found');
  });

  it('small corrections and the threshold', async () => {
    expect(await machine()(1008.1, 10)).toBe('clear');
    expect(await machine()(1007.9, 10)).toBe('found');
    expect(await machine({ threshold: 10 })(1000.5, 10)).toBe('clear');
  });

  it('a clock that went forward may be a sleep, unless a server says it is ahead by as much', async () => {
    expect(await machine()(1210, 10)).toBe('clear');
    expect(await machine()(1210, 10, -200)).toBe('found');
    expect(await machine()(1210, 10, 0)).toBe('clear');
    expect(await machine()(1210, 10, -10)).toBe('clear');
    expect(await machine()(1210, 10, 200)).toBe('clear');
  });

  it.each([
    ['ahead', -301, 'found'],
    ['behind', 301, 'found'],
    ['at the limit', 300, 'clear'],
    ['a little', -2, 'clear'],
  ])('a server that differs: %s', async (_, skew, result) => {
    expect(await machine()(1010, 10, 0, skew)).toBe(result);
  });

  it('a limit of its own, and no server at all', async () => {
    expect(await machine({ maxSkew: 30 })(1010, 10, 31)).toBe('found');
    expect(await timeSpoofProbe({ facts: facts() }).run()).toBe('clear');
  });

  it.each<[string, Partial<ProcessFacts>, string]>([
    ['its variable', { env: { FAKETIME: '-1d' } }, 'found'],
    ['another of its variables', { env: { FAKETIME_SHARED: '/x' } }, 'found'],
    ['its variable, taken out', { read: files({ '/proc/self/environ': 'FAKETIME=-1d\0' }) }, 'found'],
    ['its library', { read: files({ '/proc/self/maps': '7f r-xp /usr/lib/faketime/libfaketime.so.1' }) }, 'found'],
    ['another variable', { env: { TIME: '1' } }, 'clear'],
    ['no memory map', { read: async () => undefined }, 'unknown'],
    ['a platform where it cannot be looked for', { platform: 'darwin', read: denied }, 'unknown'],
    ['its variable on that platform', { platform: 'darwin', env: { FAKETIME: '-1d' }, read: denied }, 'found'],
    ['a platform where it does not exist', { platform: 'win32', read: denied }, 'clear'],
  ])('libfaketime: %s', async (_, override, result) => {
    expect(await machine({}, override)(1010, 10)).toBe(result);
  });
});
