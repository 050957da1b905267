import { describe, expect, it } from 'vitest';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import { TabRuntime } from '../../../lib/tab-runtime.js';
import type { TabOptions } from '../../../lib/tab-options.js';
import { aProofKey, NOW, SECRET } from '../../utils/core/index.js';

const INSTANCE = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';
const runtime = (proofKeys: unknown, change: Partial<TabOptions> = {}) =>
  new TabRuntime({
    origins: ['https://api.example.com:443/bank/', 'https://other.example.com'],
    apps: [{ id: 'com.example.app', platform: 'android', allowUnattested: true }],
    stores: memoryStores(),
    secrets: [SECRET],
    proofKeys: proofKeys as TabOptions['proofKeys'],
    ...change,
  });

describe('the option proofKeys', () => {
  it.each([
    [undefined, undefined],
    [false, undefined],
    [true, 300],
    [{}, 300],
    [{ lifetime: 30 }, 30],
    [{ lifetime: 885, requestsPerMinute: 1 }, 885],
  ])('%j: keys of %s s', (option, lifetime) => expect(runtime(option).proofKeys?.lifetime).toBe(lifetime));

  it.each([
    null,
    'true',
    300,
    { lifetime: 29 },
    { lifetime: 886 },
    { lifetime: 60.5 },
    { lifetime: '60' },
    { requestsPerMinute: 0 },
    { lifetme: 60 },
  ])('%j is refused at start-up', (option) => {
    expect(() => runtime(option)).toThrow(TabConfigError);
    expect(() => runtime(option)).toThrow(/proofKeys/);
  });

  it('derives keys for the first origin as it is compared, by the first secret', () => {
    const secrets = [SECRET, 'another secret of at least 32 octets'];
    const issued = runtime(true, { secrets }).proofKeys?.issue(INSTANCE, NOW);
    const random = Buffer.from(issued?.kid.slice(44) ?? '', 'base64url').subarray(9);
    const parts = { secret: SECRET, instanceId: INSTANCE, exp: NOW + 300, random };
    const expected = aProofKey({ ...parts, origin: 'https://api.example.com/bank' });
    expect([issued?.kid, issued?.octets]).toEqual([expected.kid, expected.key]);
  });
});
