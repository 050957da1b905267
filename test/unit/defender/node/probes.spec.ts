import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  debuggerProbe,
  hookingProbe,
  nodeDefender,
  nodeProbes,
  type NodeProbeOptions,
  type ProcessFacts,
} from '../../../../lib/defender/node/index.js';
import { processFacts } from '../../../../lib/defender/node/process-facts.js';
import { facts, files } from './facts.js';

/** The threads of a process; a path among the names is a mapped library. */
const threads = (...names: string[]): Partial<ProcessFacts> => {
  const own = names.filter((name) => !name.startsWith('/'));
  const comm = own.map((name, index): [string, string] => [`/proc/self/task/${index}/comm`, `${name}\n`]);
  const maps = names.filter((name) => name.startsWith('/')).map((path) => `7f00-7f01 r-xp 0 0 0  ${path}\n`);
  return {
    list: async () => own.map((_, index) => String(index)),
    read: files({ ...Object.fromEntries(comm), '/proc/self/maps': maps.join('') }),
  };
};
const folder = mkdtempSync(join(tmpdir(), 'tab-probe-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('debugger', () => {
  it.each<[string, Partial<ProcessFacts>, string]>([
    ['nothing', {}, 'clear'],
    ['an active inspector', { inspectorUrl: () => 'ws://127.0.0.1:9229/x' }, 'found'],
    ['--inspect', { execArgv: ['--inspect'] }, 'found'],
    ['--inspect=0', { execArgv: ['--no-warnings', '--inspect=0'] }, 'found'],
    ['--inspect-brk', { execArgv: ['--inspect-brk=127.0.0.1:1'] }, 'found'],
    ['--inspect_brk', { execArgv: ['--inspect_brk'] }, 'found'],
    ['NODE_OPTIONS', { env: { NODE_OPTIONS: '--max-old-space-size=99 "--inspect"' } }, 'found'],
    ['another option', { execArgv: ['--title=--inspect'] }, 'clear'],
    [
      'options that were taken out',
      { read: files({ '/proc/self/environ': 'A=1\0NODE_OPTIONS=--inspect\0' }) },
      'found',
    ],
    ['arguments that were taken out', { read: files({ '/proc/self/cmdline': 'node\0--inspect=1\0a.js\0' }) }, 'found'],
    ['an argument of the app', { read: files({ '/proc/self/cmdline': 'node\0a.js\0--inspect\0' }) }, 'clear'],
    ['the value of an option', { read: files({ '/proc/self/cmdline': 'node\0-e\0--inspect\0' }) }, 'found'],
    ['an argument in Electron', { electron: true, argv: ['--inspect=5858', '.'] }, 'found'],
    ['an argument in Node', { argv: ['a.js', '--inspect=5858'] }, 'clear'],
    ['a tracer', { readStatus: async () => 'TracerPid:\t4242\n' }, 'found'],
    ['a status without tracer', { readStatus: async () => 'Name:\tnode\n' }, 'unknown'],
    ['a platform where it cannot look', { platform: 'darwin' }, 'unknown'],
    ['that platform, with an inspector', { platform: 'darwin', inspectorUrl: () => 'ws://x' }, 'found'],
  ])('%s', async (_, override, result) => {
    expect(await debuggerProbe(facts(override)).run()).toBe(result);
  });

  it('an unreadable status is an error, which is never clear', async () => {
    const probe = debuggerProbe(facts({ readStatus: () => Promise.reject(new Error('EACCES')) }));
    await expect((async () => probe.run())()).rejects.toThrow('EACCES');
  });
});

describe('hooking', () => {
  it.each<[string, Partial<ProcessFacts>, string]>([
    ['nothing', {}, 'clear'],
    [
      'harmless options',
      { execArgv: ['--enable-source-maps', '--title', 'r'], env: { NODE_OPTIONS: '--no-warnings' } },
      'clear',
    ],
    ['-r', { execArgv: ['-r', './a.cjs'] }, 'found'],
    ['--require', { execArgv: ['--require', './a.cjs'] }, 'found'],
    ['--require=', { execArgv: ['--require=./a.cjs'] }, 'found'],
    ['--import', { execArgv: ['--import', 'data:text/javascript,1'] }, 'found'],
    ['--loader', { execArgv: ['--loader=./l.mjs'] }, 'found'],
    ['--experimental-loader', { execArgv: ['--experimental-loader', './l.mjs'] }, 'found'],
    ['--experimental_loader', { execArgv: ['--experimental_loader=./l.mjs'] }, 'found'],
    ['an option without value', { execArgv: ['--import'] }, 'found'],
    ['NODE_OPTIONS', { env: { NODE_OPTIONS: '  --no-warnings   --import ./a.mjs ' } }, 'found'],
    ['quoted NODE_OPTIONS', { env: { NODE_OPTIONS: '"--require" "./a b.cjs"' } }, 'found'],
    ['LD_PRELOAD', { env: { LD_PRELOAD: '/tmp/x.so' } }, 'found'],
    ['LD_AUDIT', { env: { LD_AUDIT: '/tmp/x.so' } }, 'found'],
    ['DYLD_INSERT_LIBRARIES', { env: { DYLD_INSERT_LIBRARIES: '/tmp/x.dylib' } }, 'found'],
    ['--snapshot-blob', { execArgv: ['--snapshot-blob', './s.blob'] }, 'found'],
    ['a configuration with preloads', { execArgv: ['--experimental-config-file=./c.json'] }, 'found'],
    ['/etc/ld.so.preload', { read: files({ '/etc/ld.so.preload': '# all\n/tmp/x.so # here\n' }) }, 'found'],
    ['/etc/ld.so.preload with comments only', { read: files({ '/etc/ld.so.preload': '# /tmp/x.so\n\n' }) }, 'clear'],
    ['LD_PRELOAD that was taken out', { read: files({ '/proc/self/environ': 'LD_PRELOAD=/tmp/x.so\0' }) }, 'found'],
    ['-r that was taken out', { read: files({ '/proc/self/cmdline': 'node\0--title\0x\0-r\0x\0a.js\0' }) }, 'found'],
    ['-r of the app', { read: files({ '/proc/self/cmdline': 'node\0a.js\0-r\0x\0' }) }, 'clear'],
    ['LD_LIBRARY_PATH', { env: { LD_LIBRARY_PATH: '/opt/lib' } }, 'clear'],
    [
      'an agent in the memory map',
      { read: files({ '/proc/self/maps': '7f r-xp /memfd:frida-agent-64.so (deleted)' }) },
      'found',
    ],
    ['gum-js in the memory map', { read: files({ '/proc/self/maps': '7f r-xp /tmp/gum-js.so' }) }, 'found'],
    ['a thread gum-js-loop', threads('node', 'gum-js-loop'), 'found'],
    ['a thread pool-frida', threads('node', 'pool-frida'), 'found'],
    ['threads of GLib without GLib', threads('node', 'gmain', 'gdbus'), 'found'],
    ['threads of GLib with GLib', threads('node', 'gmain', 'gdbus', '/usr/lib/libglib-2.0.so.0.7200.4'), 'clear'],
    ['threads of GLib in libvips', threads('node', 'gmain', '/app/node_modules/x/libvips-cpp.so.8.15'), 'clear'],
    ['ordinary threads', threads('node', 'libuv-worker', 'DelayedTaskSche'), 'clear'],
    ['a replaced loader', { changed: async () => ['node:module._load'] }, 'found'],
    ['no memory map', { read: async () => undefined }, 'unknown'],
    [
      'no memory map, and a replaced loader',
      { read: async () => undefined, changed: async () => ['node:module._load'] },
      'found',
    ],
    [
      'a platform without memory map',
      { platform: 'darwin', read: () => Promise.reject(new Error('no /proc')) },
      'unknown',
    ],
    ['that platform, with a preload', { platform: 'darwin', execArgv: ['-r', './a.cjs'] }, 'found'],
    ['empty variables', { env: { LD_PRELOAD: '', NODE_OPTIONS: '' } }, 'clear'],
  ])('%s', async (_, override, result) => {
    expect(await hookingProbe({ facts: facts(override) }).run()).toBe(result);
  });

  it.each<[string, Partial<ProcessFacts>, string]>([
    [
      'exactly what is allowed',
      { execArgv: ['-r', './apm.cjs'], env: { LD_PRELOAD: '/usr/lib/jemalloc.so' } },
      'clear',
    ],
    ['a quoted path', { env: { NODE_OPTIONS: '--require "./with space.cjs"' } }, 'clear'],
    ['a loader of the app', { changed: async () => ['node:module._load'] }, 'clear'],
    ['a loader of the app and another', { changed: async () => ['node:module._load', 'node:module.wrap'] }, 'found'],
    ['the same library everywhere', { read: files({ '/etc/ld.so.preload': '/usr/lib/jemalloc.so' }) }, 'clear'],
    ['one more module', { execArgv: ['-r', './apm.cjs', '-r', './evil.cjs'] }, 'found'],
    ['one more library', { env: { LD_PRELOAD: '/usr/lib/jemalloc.so:/tmp/evil.so' } }, 'found'],
    ['one more library after a space', { env: { LD_PRELOAD: '/usr/lib/jemalloc.so /tmp/evil.so' } }, 'found'],
    ['another place of the same name', { execArgv: ['-r', '/tmp/apm.cjs'] }, 'found'],
  ])('with an allow list: %s', async (_, override, result) => {
    const allow = ['./apm.cjs', './with space.cjs', '/usr/lib/jemalloc.so', 'node:module._load'];
    expect(await hookingProbe({ allow, facts: facts(override) }).run()).toBe(result);
  });
});

describe('a real process', () => {
  const report = `const i=require('node:inspector'),fs=require('node:fs');process.stdout.write(JSON.stringify({execArgv:process.execArgv,
    inspector:i.url()??null,options:process.env.NODE_OPTIONS??null,status:fs.existsSync('/proc/self/status')?fs.readFileSync('/proc/self/status','utf8'):''}))`;
  const seen = async (args: string[], env: Record<string, string> = {}): Promise<ProcessFacts> => {
    const child = spawn(process.execPath, [...args, '-e', report], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
    const { execArgv, inspector, options, status } = JSON.parse(output);
    const inspectorUrl = () => inspector ?? undefined;
    return facts({
      execArgv,
      inspectorUrl,
      env: { NODE_OPTIONS: options ?? undefined },
      readStatus: async () => status || 'TracerPid: 0',
    });
  };
  const preload = join(folder, 'preload file.cjs');
  writeFileSync(preload, '');

  it('that is clean', async () => {
    const plain = await seen([]);
    expect([await debuggerProbe(plain).run(), await hookingProbe({ facts: plain }).run()]).toEqual(['clear', 'clear']);
  });

  it('under --inspect=0', async () => {
    const inspected = await seen(['--inspect=127.0.0.1:0']);
    expect(inspected.inspectorUrl()).toMatch(/^ws:/);
    expect(await debuggerProbe(inspected).run()).toBe('found');
    expect(await debuggerProbe({ ...inspected, inspectorUrl: () => undefined }).run()).toBe('found');
  });

  it('under --require, on the command line and in NODE_OPTIONS', async () => {
    const required = await seen(['--require', preload]);
    const inherited = await seen([], { NODE_OPTIONS: `--require "${preload}"` });
    for (const process of [required, inherited]) {
      expect(await hookingProbe({ facts: process }).run()).toBe('found');
      expect(await hookingProbe({ facts: process, allow: [preload] }).run()).toBe('clear');
    }
  });

  it('is this one by default', async () => {
    const own = processFacts();
    expect(own.ppid).toBe(process.ppid);
    expect([own.env, own.execArgv, own.platform]).toEqual([process.env, process.execArgv, process.platform]);
    if (process.platform !== 'linux') return;
    expect(await own.readStatus()).toMatch(/^TracerPid:/m);
    expect(await own.read('/proc/self/maps')).toContain('[stack]');
    expect(await own.read('/proc/self/status', true)).toContain('TracerPid:');
    expect([await own.read('/proc/self/none'), await own.read('/proc/self/none', true)]).toEqual([
      undefined,
      undefined,
    ]);
    await expect(own.read('/proc')).rejects.toThrow('EISDIR');
    expect(await own.list('/proc/self/task')).toContain(String(process.pid));
    expect((await own.processes()).length).toBeGreaterThan(1);
    await expect(own.processes(AbortSignal.abort())).rejects.toThrow();
  });
});

describe('nodeDefender', () => {
  const options = { api: 'https://api.example.com', app: { id: 'bank', ver: '1.0.0', platform: 'node' } };

  it('puts file and probes in place', async () => {
    const keyFile = join(folder, 'instance.json');
    const first = await nodeDefender({ ...options, keyFile }).ready();
    expect(await nodeDefender({ ...options, keyFile, tamper: { root: folder } }).ready()).toBe(first);
  });

  it('needs a path', () => {
    expect(() => nodeDefender({ ...options, keyFile: '' })).toThrow('Defender option keyFile');
  });

  it('refuses a key for manifests that cannot be one', () => {
    const tamper = { root: folder, manifest: 'm', key: 'no key' };
    expect(() => nodeDefender({ ...options, keyFile: join(folder, 'k.json'), tamper })).toThrow('not a public key');
  });
});

describe('nodeProbes', () => {
  const named = (look?: NodeProbeOptions) => nodeProbes(look).map(({ name }) => name);
  const usual = ['debugger', 'hooking', 'memory-tamper', 'automation', 'remote-control', 'time-spoof'];

  it('are those that an ordinary process passes anywhere', () => {
    expect(named()).toEqual(usual);
  });

  it('can be left out and taken in', () => {
    const none = { debugger: false, hooking: false, memoryTamper: false, automation: false, remoteControl: false };
    expect(named({ ...none, timeSpoof: false })).toEqual([]);
    expect(named({ root: true, emulator: true, tamper: { root: folder } })).toEqual([
      ...usual,
      'tamper',
      'root',
      'emulator',
    ]);
  });

  it('take options', async () => {
    const [probe] = nodeProbes({ debugger: false, hooking: { facts: facts({ env: { LD_PRELOAD: '/x.so' } }) } });
    expect(await probe?.run()).toBe('found');
  });
});
