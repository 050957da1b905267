import { describe, expect, it } from 'vitest';
import type { Attester } from '../../../lib/attestation/attester.js';
import { attesterRegistry, registryReach } from '../../../lib/attestation/registry.js';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { attesterWith } from './client-attestation.fixture.js';

function attester(overrides: Partial<Attester> = {}): Attester {
  return { format: 'android-key', reach: 'strongbox', examine: () => () => Promise.reject(new Error()), ...overrides };
}

describe('attesterRegistry', () => {
  it('finds attesters by format', () => {
    const [one, two] = [attester(), attesterWith()];
    const registry = attesterRegistry([one, two]);
    expect(registry.get('android-key')).toBe(one);
    expect(registry.get('client-attestation')).toBe(two);
    expect([...registry.keys()]).toEqual(['android-key', 'client-attestation']);
  });

  it.each(['', 'constructor', '__proto__', 'toString', 'Android-Key', 'android-key '])(
    'finds nothing for %j',
    (format) => {
      expect(attesterRegistry([attester()]).get(format)).toBeUndefined();
    },
  );

  it('refuses two attesters of one format', () => {
    const build = () => attesterRegistry([attester(), attester({ reach: 'tee' })]);
    expect(build).toThrow(TabConfigError);
    expect(build).toThrow(/"android-key" is given twice/);
  });

  const bad: [string, Partial<Attester>][] = [
    ['no format', { format: '' }],
    ['format none', { format: 'none' }],
    ['format in upper case', { format: 'JWT' }],
    ['a long format', { format: 'a'.repeat(65) }],
    ['an unknown reach', { reach: 'high' as never }],
    ['no examine', { examine: undefined as never }],
  ];

  it.each(bad)('refuses an attester with %s', (_name, overrides) => {
    expect(() => attesterRegistry([attester(overrides)])).toThrow(TabConfigError);
  });

  it('refuses an entry that is not an attester', () => {
    expect(() => attesterRegistry([undefined as never])).toThrow(TabConfigError);
  });
});

describe('registryReach', () => {
  it('is the highest reach', () => {
    expect(registryReach(attesterRegistry([]))).toBe('none');
    expect(registryReach(attesterRegistry([attester({ reach: 'tee' }), attesterWith()]))).toBe('tee');
    expect(registryReach(attesterRegistry([attesterWith(), attester()]))).toBe('strongbox');
  });
});
