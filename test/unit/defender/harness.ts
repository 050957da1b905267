import { afterEach, beforeEach, expect } from 'vitest';
import { createDefender, memoryKeyStore, type Defender, type DefenderOptions } from '../../../lib/defender/index.js';
import { FakeServer, T0 } from './fake-server.js';

/** A clock that only tests move; milliseconds. */
export class FakeClock {
  ms = T0 * 1000;
  readonly read = () => this.ms;

  advance(seconds: number): void {
    this.ms += seconds * 1000;
  }
}

/** A server, a clock, and Defenders that are valid unless a test says otherwise. */
export function useHarness() {
  const harness = {
    server: new FakeServer(),
    clock: new FakeClock(),
    /** Whether the client is expected to keep to the protocol; a test of misconduct turns it off. */
    strict: true,
    defender(override: Partial<DefenderOptions> = {}): Defender {
      return createDefender(optionsFor(harness.server.origin, { clock: harness.clock.read, ...override }));
    },
  };
  beforeEach(async () => {
    harness.server = await new FakeServer().start();
    harness.clock = new FakeClock();
    harness.strict = true;
  });
  afterEach(async () => {
    await harness.server.stop();
    if (harness.strict) expect(harness.server.problems).toEqual([]);
  });
  return harness;
}

export function optionsFor(api: string, override: Partial<DefenderOptions> = {}): DefenderOptions {
  return {
    api,
    app: { id: 'bank', ver: '1.2.3', platform: 'node' },
    keyStore: memoryKeyStore(),
    probes: [{ name: 'root', run: () => 'clear' }],
    reenrolWait: 0,
    ...override,
  };
}

/** Timers that run when a test says so; `due` holds those that are set, with their milliseconds. */
export class FakeTimers {
  readonly due = new Map<object, { run: () => void; ms: number }>();
  readonly setTimeout = (run: () => void, ms: number): object => {
    const timer = {};
    this.due.set(timer, { run, ms });
    return timer;
  };
  readonly clearTimeout = (timer: unknown): void => void this.due.delete(timer as object);

  get delays(): number[] {
    return [...this.due.values()].map(({ ms }) => ms);
  }

  /** Runs those that are set, and lets what they began come to its end. */
  async turn(): Promise<void> {
    const all = [...this.due];
    this.due.clear();
    for (const [, { run }] of all) run();
    await settled();
  }
}

/** Lets everything run that waits for nothing from outside. */
export async function settled(): Promise<void> {
  for (let index = 0; index < 5; index += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A door that stays shut until `open` is called. */
export function latch() {
  const state = { open: (): void => undefined };
  const opened = new Promise<void>((resolve) => (state.open = resolve));
  return { open: () => state.open(), opened };
}

/** A door that opens when `count` have come to it. */
export function meeting(count: number): () => Promise<void> {
  const door = latch();
  let arrived = 0;
  return () => {
    arrived += 1;
    if (arrived >= count) door.open();
    return door.opened;
  };
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it did not reject'),
    (error: unknown) => error,
  );
}
