import { describe, expect, it } from 'vitest';
import { memoryKeyStore } from '../../../lib/defender/index.js';
import { EvidenceMeter } from '../../../lib/defender/evidence.js';
import { T0 } from './fake-server.js';
import { FakeTimers, latch, settled, useHarness } from './harness.js';

const harness = useHarness();

describe('forget', () => {
  it('works before anything was loaded, and makes a new instance after', async () => {
    const keyStore = memoryKeyStore();
    const before = await harness.defender({ keyStore }).ready();
    const defender = harness.defender({ keyStore });
    await defender.forget();
    expect(await defender.ready()).not.toBe(before);
    expect(harness.server.retirements).toHaveLength(0);
  });
});

describe('a store that hangs', () => {
  it('withholds no answer, and close ends', async () => {
    const timers = new FakeTimers();
    const keyStore = { ...memoryKeyStore(), saveState: () => new Promise<void>(() => undefined) };
    const defender = harness.defender({ keyStore, timers, schedule: false });
    harness.server.answers = [{ headers: { 'TAB-Session': `${'S'.repeat(22)}; expires=${T0 + 60}` } }];
    expect((await defender.fetch(`${harness.server.origin}/a`)).status).toBe(200);
    const closing = expect(defender.close()).rejects.toMatchObject({ code: 'key_store' });
    await timers.turn();
    await closing;
  });
});

describe('a redirect whose next token cannot be made', () => {
  it('is the answer', async () => {
    harness.server.answers = [{ status: 303, headers: { location: '/b' } }];
    const assertion = (_: Uint8Array, { method }: { method: string }) =>
      method === 'GET' ? Promise.reject(new Error('no')) : undefined;
    const url = `${harness.server.origin}/a`;
    expect((await harness.defender({ assertion }).fetch(url, { method: 'POST', body: 'x' })).status).toBe(303);
  });
});

describe('evidence', () => {
  it('is not of a run that was overtaken while the caller waited', async () => {
    const doors = [latch(), latch()];
    let runs = 0;
    const run = async () => {
      await doors[runs++]?.opened;
      return 'clear' as const;
    };
    const meter = new EvidenceMeter({ probes: [{ name: 'root', run }], maxAge: 60, timeout: 9_000, now: () => runs });
    const waiting = meter.current();
    await settled();
    meter.invalidate();
    doors.forEach((door) => door.open());
    expect((await waiting).at).toBe(2);
  });
});
