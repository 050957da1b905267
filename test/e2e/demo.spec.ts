import { describe, expect, it } from 'vitest';
import { ATTEMPTS } from '../../sample/bank/demo/attempts.js';
import { openBank } from '../../sample/bank/demo/demo-bank.js';
import { formatDemo, runDemo } from '../../sample/bank/demo/run-demo.js';

describe('the demo', () => {
  it('is surprised by nothing', async () => {
    const rows = await runDemo();
    expect(rows.map(({ what, expected, answered }) => ({ what, expected, answered }))).toEqual(
      ATTEMPTS.map(({ what, expected }) => ({ what, expected, answered: expected })),
    );
    expect(rows).toHaveLength(34);
    expect(formatDemo(rows)).toMatch(/\n34 passed, 0 failed$/);
  });

  it('has phones only where somebody attests them', async () => {
    const bank = await openBank({ testRoots: undefined });
    try {
      for (const path of ['hardware', 'asserted']) {
        expect((await fetch(`${bank.api}/transfers/${path}`, { method: 'POST' })).status).toBe(404);
      }
      const discovery = await fetch(`${bank.api}/.well-known/tab-configuration`);
      expect(await discovery.json()).toMatchObject({ formats: ['client-attestation', 'none'] });
    } finally {
      await bank.close();
    }
  });

  it('says so when something surprises it, and goes on', async () => {
    const rows = await runDemo([
      { what: 'an error', expected: '201', run: () => Promise.reject(new Error('no answer')) },
      { what: 'another answer', expected: '201', run: async () => '200' },
      { what: 'the right answer', expected: '201', run: async () => '201' },
    ]);
    expect(rows.map(({ passed }) => passed)).toEqual([false, false, true]);
    const lines = formatDemo(rows).split('\n');
    expect(lines[1]).toMatch(/^an error +201 +error: no answer +FAILED$/);
    expect(lines.at(-1)).toBe('1 passed, 2 failed');
  });
});
