import { TabDecisions } from 'nestjs-tab';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { BankClient, startBank, TestClock, told, type RunningBank } from './sample.harness.js';

const clock = new TestClock();
let bank: RunningBank;

/** What opens a proof key, in the last step. */
const unwrap = vi.spyOn(crypto.subtle, 'unwrapKey');

beforeAll(async () => {
  bank = await startBank({ clock: clock.now });
});
beforeEach(() => void unwrap.mockClear());
afterAll(async () => {
  unwrap.mockRestore();
  await bank.app.close();
});

it('reads under a proof key, and moves money by a signature alone', async () => {
  const decisions: (string | undefined)[] = [];
  const watching = bank.app
    .get(TabDecisions)
    .stream.subscribe(({ path, proof, code }) => decisions.push(`${path} ${proof} ${code ?? 'accepted'}`));
  const alice = new BankClient([bank], { clock: clock.now, proofKeys: 'session' });
  await alice.logIn();
  await alice.balances();
  await vi.waitFor(() => expect(unwrap.mock.settledResults.map(({ type }) => type)).toEqual(['fulfilled']));
  await new Promise((resolve) => setImmediate(resolve));
  await alice.balances();
  const order = { from: 'alice-current', to: 'bob-current', amount: 100 };
  expect(told(await alice.send('POST', '/transfers', order))).toBe('201');
  watching.unsubscribe();
  const about = (path: string) => decisions.filter((line) => line?.startsWith(`${path} `));
  expect(about('/auth/login')).toEqual(['/auth/login signature accepted']);
  expect(about('/accounts')).toEqual(['/accounts signature accepted', '/accounts mac accepted']);
  expect(about('/transfers')).toEqual(['/transfers mac step_up_required', '/transfers signature accepted']);
});
