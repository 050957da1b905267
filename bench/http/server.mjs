// A child process: one application with one guarded route, measured from inside.
import { verify, generateKeyPairSync, sign } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { PerformanceObserver, performance } from 'node:perf_hooks';
import { Controller, Get, Module, Post, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { APP, ORIGIN, PROBES, SECRET } from './facts.mjs';
import { answer } from './rpc.mjs';

let app;
let runtime;
let opened;
/** Keys of instances that stores elsewhere have; there with and without the module, so that both have their memory. */
let farKeys;

/** Two routes; decorators are written as calls. */
function controllerOf(decorators) {
  class Bank {
    accounts() {
      return { accounts: [{ iban: 'DE02120300000000202051', balance: '1250.00' }] };
    }
    transfer() {
      return { accepted: true };
    }
  }
  const routes = { accounts: Get('accounts'), transfer: Post('transfers') };
  for (const [name, route] of Object.entries(routes)) {
    route(Bank.prototype, name, Object.getOwnPropertyDescriptor(Bank.prototype, name));
  }
  for (const decorate of decorators) decorate(Bank);
  Controller()(Bank);
  return Bank;
}

/** The module with what a bank would set: sessions, server challenges, six probes that every build has. */
async function tabParts({ tab, store, counted, far }) {
  const { RequireTrust, TabGuard, TabModule } = await import('../../dist/index.js');
  const { TabRuntime } = await import('../../dist/tab-runtime.js');
  opened = far ? await openFarStores() : await openStores(store, counted);
  const apps = [{ id: APP.id, platform: 'android', allowUnattested: true, probes: PROBES }];
  const options = { origins: ORIGIN, apps, stores: opened.stores, secrets: [SECRET], algorithms: ['EdDSA'], ...tab };
  return {
    imports: [TabModule.forRoot(options)],
    decorators: [RequireTrust(), UseGuards(TabGuard)],
    settle: () => (runtime = app.get(TabRuntime)),
  };
}

async function openFarStores() {
  const { farStores } = await import('./far-stores.mjs');
  return { stores: await farStores(farKeys), close: async () => undefined };
}

async function openStores(store, counted) {
  const stores = await import('./stores.mjs');
  return stores.openStores(store, counted);
}

async function partsOf(which) {
  if (which.guard === 'none') return { imports: [], decorators: [] };
  if (which.guard === 'tab') return tabParts(which);
  const { peerGuard } = await import('./guards.mjs');
  const { guard, providers } = await peerGuard(which.guard, which.issuerKey);
  return { imports: [], providers, decorators: [UseGuards(guard)] };
}

async function adapterOf(name) {
  if (name === 'Express') return new (await import('@nestjs/platform-express')).ExpressAdapter();
  return new (await import('@nestjs/platform-fastify')).FastifyAdapter();
}

async function start(which) {
  if (which.far) farKeys = new (await import('./far-stores.mjs')).FarKeys();
  const parts = await partsOf(which);
  class Root {}
  Module({ imports: parts.imports, providers: parts.providers ?? [], controllers: [controllerOf(parts.decorators)] })(
    Root,
  );
  // Only ours needs the octets of a body.
  // Errors of a store that is not ready yet come back as answers.
  const options = { logger: false, abortOnError: false, rawBody: which.guard === 'tab' };
  app = await NestFactory.create(Root, await adapterOf(which.adapter), options);
  await app.listen(0, '127.0.0.1');
  parts.settle?.();
  const ready = performance.now();
  // Makes the threads of the pool, before the main thread is given its core.
  await stat('.');
  return { port: app.getHttpServer().address().port, ready, node: process.version };
}

/** Instances and their sessions, written straight into the stores. */
async function enrol({ identities, at }) {
  if (farKeys !== undefined) return farKeys.add(identities);
  for (const { id, algorithm, publicKey, sid, credentialHash } of identities) {
    const attested = {
      assurance: 'none',
      format: 'none',
      attestedAt: at,
      attestationExpiresAt: at,
      attestationClaims: {},
    };
    const status = { status: 'active', statusReason: null, statusAt: at, suspendedBy: [] };
    const owner = { appId: APP.id, appVersion: APP.ver, platform: 'android', algorithm, publicKey };
    await runtime.bindings.saveInstance({ id, ...owner, ...status, ...attested, createdAt: at, revision: 1 });
    const credential = { credentialHash, previousCredentialHash: null, previousValidUntil: null };
    const life = { createdAt: at, expiresAt: at + 24 * 3600, endedAt: null, endReason: null };
    await runtime.bindings.bind({ id: sid, instanceId: id, subject: `user of ${sid}`, ...credential, ...life });
  }
}

let cpu;
let loop;
const pauses = [];
new PerformanceObserver((list) => pauses.push(...list.getEntries().map(({ duration }) => duration))).observe({
  entryTypes: ['gc'],
});

/** Begins a measurement. */
function mark() {
  cpu = process.cpuUsage();
  loop = performance.eventLoopUtilization();
  pauses.length = 0;
}

/** What the process has used since `mark`: µs of processor time, µs in which the main thread had work, pauses in ms. */
async function measured() {
  const { user, system } = process.cpuUsage(cpu);
  const { active } = performance.eventLoopUtilization(loop);
  // Observers are told of entries a little later.
  await new Promise((resolve) => setTimeout(resolve, 10));
  return { cpu: user + system, main: active * 1000, pauses: [...pauses], rss: process.memoryUsage.rss() };
}

/** Microseconds of one bare `crypto.verify` of ES256 here: the median of many. */
function bareVerify() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const data = Buffer.alloc(700, 1);
  const signature = sign('sha256', data, privateKey);
  const times = [];
  for (let i = 0; i < 6000; i += 1) {
    const started = performance.now();
    verify('sha256', data, publicKey, signature);
    if (i >= 3000) times.push((performance.now() - started) * 1000);
  }
  return times.toSorted((a, b) => a - b)[times.length >> 1];
}

answer({
  start,
  enrol,
  mark,
  measured,
  bareVerify,
  challenge: (at) => runtime.challenges.issue('request', at),
  calls: () => ({ ...opened.calls }),
  query: (sql) => opened.dataSource.query(sql),
  /** Resident as it is, then with everything given back that the collector can give back. */
  memory: () => {
    const loose = process.memoryUsage.rss();
    for (let i = 0; i < 2; i += 1) globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    return { loose, ...process.memoryUsage() };
  },
  close: async () => {
    await app?.close();
    await opened?.close();
  },
});
