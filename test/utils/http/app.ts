import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import {
  Module,
  type DynamicModule,
  type INestApplication,
  type LoggerService,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory, type AbstractHttpAdapter } from '@nestjs/core';
import {
  memoryStores,
  TabDecisions,
  TabModule,
  type TabModuleExtras,
  type TabOptions,
  type TabStores,
  type TrustDecision,
} from 'nestjs-tab';
import { Device, type DeviceOptions } from './client.js';
import type { Platform } from './platforms.js';

/** A clock that moves only when told to. */
export class FrozenClock {
  #now = Date.UTC(2030, 0, 15, 12, 0, 0);

  /** Milliseconds since the epoch. */
  readonly read = (): number => this.#now;

  get seconds(): number {
    return Math.floor(this.#now / 1000);
  }

  advance(seconds: number): void {
    this.#now += seconds * 1000;
  }
}

/** Keeps everything that Nest's logger is given. */
export class LogRecorder implements LoggerService {
  readonly lines: string[] = [];
  readonly log = (...parts: unknown[]) => this.#keep(parts);
  readonly error = this.log;
  readonly warn = this.log;
  readonly debug = this.log;
  readonly verbose = this.log;
  readonly fatal = this.log;

  #keep(parts: readonly unknown[]): void {
    this.lines.push(
      parts.map((part) => (part instanceof Error ? (part.stack ?? part.message) : inspect(part))).join(' '),
    );
  }
}

function inspect(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
}

/** A store with its calls counted, that can be switched off. */
export interface Watched {
  readonly calls: string[];
  down: boolean;
}

function watch<T extends object>(store: T, all: string[]): { store: T; watched: Watched } {
  const watched: Watched = { calls: [], down: false };
  const proxy = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        watched.calls.push(String(name));
        all.push(String(name));
        if (watched.down) return Promise.reject(new Error('connection to secret-host refused'));
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  return { store: proxy, watched };
}

export type TabSetup = Partial<TabOptions & TabModuleExtras>;
type FullSetup = TabOptions & TabModuleExtras;

/** What a spec says about its application; everything else is a sound default. */
export interface AppSetup {
  /** Laid over the module's options. */
  readonly tab?: TabSetup | ((base: FullSetup, origin: string) => TabSetup);
  /** How the module is imported; default `TabModule.forRoot(options)`. */
  readonly module?: (options: FullSetup) => DynamicModule | readonly (DynamicModule | Type)[];
  readonly controllers?: readonly Type[];
  readonly providers?: readonly Provider[];
  readonly imports?: readonly (DynamicModule | Type)[];
  readonly rawBody?: boolean;
  readonly trustProxy?: boolean;
  /** Instead of the platform's own. */
  readonly adapter?: AbstractHttpAdapter;
  readonly cors?: boolean;
  readonly configure?: (app: INestApplication) => void;
  readonly clock?: FrozenClock;
}

/** A running application on loopback. */
export interface TestApp {
  readonly nest: INestApplication;
  readonly port: number;
  readonly origin: string;
  readonly clock: FrozenClock;
  readonly logs: LogRecorder;
  readonly nonces: Watched;
  readonly bindings: Watched;
  /** The calls of both stores, in order. */
  readonly storeCalls: readonly string[];
  readonly decisions: readonly TrustDecision[];
  /** A client that has not enrolled. */
  device(options?: Partial<DeviceOptions>): Device;
  stop(): Promise<void>;
}

/** The app that tests enrol with. */
export const BANK = { id: 'com.example.bank', platform: 'android', allowUnattested: true } as const;

/** Below the ports that systems give to clients, so that no connection under way takes one between the look and the listening. */
const PORTS = { from: 12_000, to: 32_000 } as const;

/** A loopback port that was free a moment ago. Origins name the port, so it has to be known before the application is made. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

@Module({})
class TestModule {}

function optionsOf(setup: AppSetup, origin: string, clock: FrozenClock, stores: TabStores): FullSetup {
  const base: FullSetup = {
    origins: origin,
    apps: [BANK],
    stores,
    secrets: ['a shared secret of the tests, at least 32 octets'],
    limits: { enrolmentsPerMinute: 100_000 },
    sweepInterval: 0,
    clock: clock.read,
  };
  return { ...base, ...(typeof setup.tab === 'function' ? setup.tab(base, origin) : setup.tab) };
}

/** Creates the application without listening. Rejects as start-up does. */
export async function createApp(platform: Platform, setup: AppSetup = {}): Promise<TestApp> {
  const { clock = new FrozenClock(), controllers = [], providers = [], imports = [] } = setup;
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const logs = new LogRecorder();
  const memory = memoryStores({ clock: clock.read });
  const storeCalls: string[] = [];
  const [nonces, bindings] = [watch(memory.nonces, storeCalls), watch(memory.bindings, storeCalls)];
  const options = optionsOf(setup, origin, clock, { nonces: nonces.store, bindings: bindings.store });
  const tab = [setup.module?.(options) ?? TabModule.forRoot(options)].flat();
  const root = {
    module: TestModule,
    imports: [...tab, ...imports],
    controllers: [...controllers],
    providers: [...providers],
  };
  const nest = await NestFactory.create(root, setup.adapter ?? platform.adapter(setup.trustProxy ?? false), {
    logger: logs,
    abortOnError: false,
    rawBody: setup.rawBody ?? true,
    cors: setup.cors ?? false,
  });
  setup.configure?.(nest);
  const decisions: TrustDecision[] = [];
  try {
    await nest.init();
    nest.get(TabDecisions, { strict: false }).stream.subscribe((decision) => decisions.push(decision));
  } catch (error) {
    await nest.close().catch(() => undefined);
    throw error;
  }
  return {
    nest,
    port,
    origin,
    clock,
    logs,
    nonces: nonces.watched,
    bindings: bindings.watched,
    storeCalls,
    decisions,
    device: (overrides = {}) => new Device({ port, origin, clock: clock.read, ...overrides }),
    stop: () => nest.close(),
  };
}

/** Creates the application and listens on loopback. */
export async function startApp(platform: Platform, setup: AppSetup = {}): Promise<TestApp> {
  const app = await createApp(platform, setup);
  await app.nest.listen(app.port, '127.0.0.1');
  return app;
}

/** Calls that change what a store holds. Before the signature has verified there must be none. */
export function writesOf(app: TestApp): string[] {
  return app.storeCalls.filter((name) => !['load', 'findInstances', 'findSessions'].includes(name));
}

/** Everything that the application told operators: its log and its decision records. */
export function toldBy(app: TestApp): string {
  return [...app.logs.lines, ...app.decisions.map((decision) => JSON.stringify(decision))].join('\n');
}
