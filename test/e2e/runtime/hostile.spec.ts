import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exactly, has, useApp, type Start } from './hostile.js';

const linux = process.platform === 'linux';
if (!linux) console.warn('hostile runtimes are tested on Linux only');

describe.runIf(linux)('a process', () => {
  const app = useApp();

  it('that is clean is seen by no probe, in fifty starts', { timeout: 120_000 }, async () => {
    for (let batch = 0; batch < 10; batch += 1) {
      const reports = await Promise.all(Array.from({ length: 5 }, () => app.report()));
      expect(reports).toEqual(Array.from({ length: 5 }, () => exactly()));
    }
  });

  it('that uses what is watched stays clean', async () => {
    const after = `await fetch('http://127.0.0.1:9').catch(() => 0); new Request('http://a.example', { headers: { a: 'b' } });
      require('node:http').get('http://127.0.0.1:9').on('error', () => 0); await crypto.subtle.digest('SHA-256', new Uint8Array(1));
      require('./plain.cjs'); process.title = 'bank --inspect -r x';`;
    app.put('plain.cjs', '');
    const running = app.start({ after });
    expect([await running.measure(), await running.measure()]).toEqual([exactly(), exactly()]);
    running.end();
  });

  describe.concurrent('with a debugger', () => {
    it.each<[string, Start]>([
      ['asked for on the command line', { options: ['--inspect=127.0.0.1:0'] }],
      ['asked for in NODE_OPTIONS', { env: { NODE_OPTIONS: '--inspect=127.0.0.1:0' } }],
      ['opened by the app later', { after: "require('node:inspector').open(0, '127.0.0.1');" }],
      ['that was there and left', { options: ['--inspect=127.0.0.1:0'], after: "require('node:inspector').close();" }],
      [
        'that took itself out of the options',
        {
          options: ['--inspect=127.0.0.1:0'],
          after: "require('node:inspector').close(); process.execArgv.length = 0;",
        },
      ],
    ])('%s', async (_, start) => {
      expect(await app.report(start)).toEqual(exactly('debugger'));
    });

    it('of the kernel: strace', async (context) => {
      if (!has('strace', '-V')) context.skip('strace is not installed');
      expect(await app.report({ by: ['strace', '-f', '-o', '/dev/null'] })).toEqual(exactly('debugger'));
    });

    it('of the kernel: gdb', async (context) => {
      if (!has('gdb')) context.skip('gdb is not installed');
      const by = ['gdb', '-nx', '-q', '-batch', '-ex', 'set debuginfod enabled off', '-ex', 'run', '--args'];
      expect(await app.report({ by })).toEqual(exactly('debugger'));
    });

    it('that attaches later, and leaves', async (context) => {
      if (!has('strace', '-V')) context.skip('strace is not installed');
      const running = app.start();
      expect(await running.measure()).toEqual(exactly());
      const tracer = spawn('strace', ['-f', '-o', '/dev/null', '-p', String(running.pid)]);
      const said = await new Promise<string>((resolve) =>
        tracer.stderr.once('data', (chunk) => resolve(String(chunk))),
      );
      if (!said.includes('attached')) context.skip('this machine lets nobody attach');
      expect(await running.measure()).toEqual(exactly('debugger'));
      const left = new Promise((resolve) => tracer.once('close', resolve));
      tracer.kill('SIGINT');
      await left;
      expect(await running.measure()).toEqual(exactly());
      running.end();
    });
  });

  describe.concurrent('with code before its own', () => {
    const hook = () => app.put('hook.cjs', '');
    const clean = () =>
      app.put('clean.cjs', 'delete process.env.NODE_OPTIONS; process.execArgv.length = 0; process.argv.length = 2;');

    it.each<[string, () => Start]>([
      ['--require', () => ({ options: ['--require', hook()] })],
      ['--import', () => ({ options: ['--import', hook()] })],
      ['NODE_OPTIONS', () => ({ env: { NODE_OPTIONS: `--require "${hook()}"` } })],
      ['--require that hides itself', () => ({ options: ['--require', clean()] })],
      ['NODE_OPTIONS that hide themselves', () => ({ env: { NODE_OPTIONS: `-r ${clean()}` } })],
      [
        'Module._load',
        () => ({ after: "const m = require('node:module'), l = m._load; m._load = (...a) => l(...a);" }),
      ],
      [
        'Module.prototype._compile',
        () => ({ after: "require('node:module').prototype._compile = function () { return {}; };" }),
      ],
      ['an extension', () => ({ after: "require('node:module')._extensions['.js'] = () => 0;" })],
    ])('%s', async (_, start) => {
      expect(await app.report(start())).toEqual(exactly('hooking'));
    });

    it('before it measures the first time', async () => {
      const source = "const m = require('node:module'), l = m._load; m._load = (...a) => l(...a);";
      const report = await app.report({ options: ['--require', app.put('early.cjs', source)] });
      expect(report).toEqual(exactly('hooking'));
    });

    it('a preloaded library, also one that hides itself', async (context) => {
      if (!has('gcc')) context.skip('gcc is not installed');
      const quiet = app.library('quiet', 'int quiet(void) { return 1; }');
      const hiding = app.library(
        'hiding',
        '#include <stdlib.h>\n__attribute__((constructor)) static void hide(void) { unsetenv("LD_PRELOAD"); }',
      );
      expect(await app.report({ env: { LD_PRELOAD: quiet } })).toEqual(exactly('hooking'));
      expect(await app.report({ env: { LD_PRELOAD: hiding } })).toEqual(exactly('hooking'));
    });

    it('an agent injected while it runs, by its threads or its mapping', async (context) => {
      if (!has('gcc')) context.skip('gcc is not installed');
      const source = `#include <pthread.h>\n#include <unistd.h>\n
        static void *loop(void *none) { pthread_setname_np(pthread_self(), "gum-js-loop"); for (;;) sleep(9); return none; }
        __attribute__((constructor)) static void start(void) { pthread_t t; pthread_create(&t, 0, loop, 0); usleep(50000); }`;
      const inject = (path: string) => `try { process.dlopen({ exports: {} }, ${JSON.stringify(path)}); } catch {}`;
      const threads = app.library('agent', `#define _GNU_SOURCE\n${source}`);
      const mapping = app.library('frida-agent-64', 'int agent(void) { return 1; }');
      expect(await app.report({ after: inject(threads) })).toEqual(exactly('hooking'));
      expect(await app.report({ after: inject(mapping) })).toEqual(exactly('hooking'));
    });
  });

  describe.concurrent('whose memory was changed', () => {
    it.each([
      ['fetch', 'const f = fetch; globalThis.fetch = (...a) => f(...a);'],
      ['fetch, by a proxy', 'globalThis.fetch = new Proxy(fetch, {});'],
      ['fetch, by a getter', "const f = fetch; Object.defineProperty(globalThis, 'fetch', { get: () => f });"],
      ['Date.now', 'Date.now = () => 0;'],
      ['JSON, all of it', 'globalThis.JSON = new Proxy(JSON, {});'],
      ['signing, on the object itself', 'crypto.subtle.sign = async () => new ArrayBuffer(64);'],
      ['signing, on the prototype', 'SubtleCrypto.prototype.sign = async () => new ArrayBuffer(64);'],
      ['random values', 'crypto.getRandomValues = (array) => array;'],
      ['sockets', "require('node:net').Socket.prototype.write = () => true;"],
      ['requests', "const h = require('node:http'), r = h.request; h.request = (...a) => r(...a);"],
      [
        'toString',
        'const t = Function.prototype.toString; Function.prototype.toString = function () { return t.call(this); };',
      ],
    ])('%s', async (_, after) => {
      expect(await app.report({ after })).toEqual(exactly('memory-tamper'));
    });

    it.each([
      ['fetch', 'const f = fetch; globalThis.fetch = (...a) => f(...a);'],
      [
        'fetch with its name',
        'const real = fetch; globalThis.fetch = function fetch(i, o = undefined) { return real(i, o); };',
      ],
      ['JSON.stringify by a bound one', 'JSON.stringify = JSON.stringify.bind(JSON);'],
      [
        'fetch and toString, which denies it',
        `const real = fetch, text = Function.prototype.toString; globalThis.fetch = (...a) => real(...a);
         Function.prototype.toString = function () { return text.call(this === fetch ? real : this); };`,
      ],
    ])('before the Defender was there, by a preload: %s', async (_, source) => {
      const preload = app.put('patch.cjs', source);
      expect(await app.report({ options: ['--require', preload] })).toEqual(exactly('hooking', 'memory-tamper'));
    });
  });

  it('whose files were changed', async () => {
    const extra = app.put('app/extra.js', '');
    expect(await app.report()).toEqual(exactly('tamper'));
    rmSync(extra);
    app.put('app/main.mjs', 'export const main = () => 2;\n');
    expect(await app.report()).toEqual(exactly('tamper'));
    app.put('app/main.mjs', 'export const main = () => 1;\n');
    expect(await app.report()).toEqual(exactly());
  });

  it.each(['app/tab', 'app/node_modules/jose/index.js', 'app/lib/node_modules/jose/index.js'])(
    'with a file that its loader takes first: %s',
    async (path) => {
      const added = app.put(path, 'evil()');
      expect(await app.report()).toEqual(exactly('tamper'));
      rmSync(added);
      expect(await app.report()).toEqual(exactly());
    },
  );

  it('with a pipe, which never ends', async () => {
    execFileSync('mkfifo', [join(app.folder, 'app', 'pipe.mjs')]);
    expect(await app.report()).toEqual(exactly('tamper'));
    rmSync(join(app.folder, 'app', 'pipe.mjs'));
  });

  describe('whose clock was set', () => {
    it('by libfaketime', async () => {
      expect(await app.report({ env: { FAKETIME: '-1d' } })).toEqual(exactly('time-spoof'));
    });

    it('back while it runs', async (context) => {
      if (!has('gcc')) context.skip('gcc is not installed');
      const flag = join(app.folder, 'shift');
      const path = JSON.stringify(flag);
      const library = app.library(
        'shift',
        `#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <sys/time.h>\n#include <time.h>\n#include <unistd.h>\n
        static long by(void) { return access(${path}, F_OK) == 0 ? 3600 : 0; }
        int gettimeofday(struct timeval *t, void *z) {
          int r = ((int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday"))(t, z); t->tv_sec -= by(); return r; }
        int clock_gettime(clockid_t c, struct timespec *t) {
          int r = ((int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime"))(c, t);
          if (c == CLOCK_REALTIME) t->tv_sec -= by(); return r; }`,
      );
      const look = `{ hooking: { allow: [${JSON.stringify(library)}] }, tamper: { root: ${JSON.stringify(join(app.folder, 'app'))},
        manifest: ${JSON.stringify(join(app.folder, 'manifest.json'))} } }`;
      const running = app.start({ env: { LD_PRELOAD: library }, look });
      expect(await running.measure()).toEqual(exactly());
      writeFileSync(flag, '');
      expect(await running.measure()).toEqual(exactly('time-spoof'));
      rmSync(flag);
      expect(await running.measure()).toEqual(exactly('time-spoof'));
      running.end();
    });
  });

  it('started by a driver', async () => {
    const driver = app.put('chromedriver', '#!/bin/sh\n"$@"\n');
    chmodSync(driver, 0o755);
    expect(await app.report({ by: [driver] })).toEqual(exactly('automation'));
    expect(await app.report({ env: { PLAYWRIGHT_TEST: '1' } })).toEqual(exactly('automation'));
    expect(await app.report({ env: { PLAYWRIGHT_BROWSERS_PATH: '/x' } })).toEqual(exactly());
  });

  it('beside a remote-control server', async () => {
    const server = join(app.folder, 'x11vnc');
    // A copy of Node, because a small tool may be one program under many names; newer ones give their main thread a name.
    copyFileSync(process.execPath, server);
    const child = spawn(server, ['-e', `process.title = 'x11vnc'; console.log(); setTimeout(() => 0, 30_000)`]);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    try {
      expect(await app.report()).toEqual(exactly('remote-control'));
    } finally {
      child.kill();
    }
  });
});
