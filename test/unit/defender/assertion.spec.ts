import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bridgeAssertion, type NativeBridge } from '../../../lib/defender/bridge/index.js';
import type { DefenderError } from '../../../lib/defender/index.js';
import { FakeBridge } from './bridge/fake-bridge.js';
import { refusal } from './fake-server.js';
import { useHarness } from './harness.js';

const harness = useHarness();
const hashOf = (token: string) => createHash('sha256').update(token).digest('base64');
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: DefenderError) => error.code,
  );
const url = () => `${harness.server.origin}/transfer`;

describe('assertions', () => {
  it('are made for the very token that they travel with, anew for each attempt', async () => {
    const defender = harness.defender({ assertion: (hash) => Buffer.from(hash).toString('base64') });
    harness.server.answers = [refusal('use_tab_nonce', { 'TAB-Nonce': 'n'.repeat(22) }), { status: 200 }];
    await defender.fetch(url(), { method: 'POST', body: 'x' });
    const sent = harness.server.calls.map(({ token, headers }) => [hashOf(token), headers['tab-assertion']]);
    expect(sent).toHaveLength(2);
    for (const [expected, actual] of sent) expect(actual).toBe(expected);
    expect(sent[0]?.[0]).not.toBe(sent[1]?.[0]);
  });

  it('are left out where none is wanted', async () => {
    const defender = harness.defender({ assertion: (_, { method }) => (method === 'POST' ? 'AAAA' : undefined) });
    await defender.fetch(url());
    await defender.fetch(url(), { method: 'POST', body: 'x' });
    expect(harness.server.calls.map(({ headers }) => headers['tab-assertion'])).toEqual([undefined, 'AAAA']);
  });

  it.each<[string, () => never | Promise<never>]>([
    [
      'throws',
      () => {
        throw new Error('locked');
      },
    ],
    ['rejects', () => Promise.reject(new Error('locked'))],
  ])('a platform that %s ends the request, and nothing is sent', async (_, assertion) => {
    const defender = harness.defender({ assertion });
    expect(await codeOf(defender.fetch(url()))).toBe('attester_failed');
    expect(harness.server.calls).toEqual([]);
  });

  it.each(['', ' ', 'a b', 'a\r\nTAB-Token: x', 'a\nb', 'zwölf', '€', 'a\0', 'a\n'])(
    'what is no header value, %j, ends the request, and nothing is sent',
    async (value) => {
      const defender = harness.defender({ assertion: () => value });
      expect(await codeOf(defender.fetch(url(), { method: 'POST', body: 'x' }))).toBe('attester_failed');
      expect(harness.server.calls).toEqual([]);
      // The server is not to blame: it was never asked.
      expect(defender.status).toBe('ready');
    },
  );

  it('an abort ends the wait for one', async () => {
    const controller = new AbortController();
    const assertion = () => {
      controller.abort(new Error('enough'));
      return new Promise<never>(() => undefined);
    };
    const defender = harness.defender({ assertion });
    await expect(defender.fetch(url(), { signal: controller.signal })).rejects.toThrow('enough');
    expect(harness.server.calls).toEqual([]);
  });

  it('must be a function', () => {
    expect(() => harness.defender({ assertion: 'yes' as never })).toThrow(TypeError);
  });
});

describe('assertions of a native shell', () => {
  const shell = (assert: NativeBridge['assert']) => Object.assign(new FakeBridge(), { assert });
  const hash = new Uint8Array(32).fill(7);
  const request = { method: 'POST', url: new URL('https://api.example/transfer') };

  it('pass through', async () => {
    const asked: unknown[] = [];
    const make = bridgeAssertion(
      shell(async (call) => (asked.push(call), { assertion: 'oWE=' })),
      { alias: 'a' },
    );
    expect(await make(hash, request)).toBe('oWE=');
    expect(asked).toEqual([{ alias: 'a', clientDataHash: Buffer.from(hash).toString('base64') }]);
  });

  it('are asked for only where wanted', async () => {
    const make = bridgeAssertion(
      shell(() => Promise.reject(new Error('asked'))),
      { when: () => false },
    );
    expect(await make(hash, request)).toBeUndefined();
  });

  it.each([[undefined], [{}], [{ assertion: '' }], [{ assertion: 'not base64!' }], [{ assertion: 5 }]])(
    '%j is no assertion',
    async (answer) => {
      const make = bridgeAssertion(shell(async () => answer as never));
      expect(await codeOf(Promise.resolve(make(hash, request)))).toBe('key_store');
    },
  );

  it('a shell without them is told at once', () => {
    expect(() => bridgeAssertion(new FakeBridge())).toThrow(/assert/);
  });
});
