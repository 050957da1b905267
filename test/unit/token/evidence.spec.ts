import { describe, expect, it } from 'vitest';
import { readEvidence } from '../../../lib/token/evidence.js';
import { NOW, someEvidence, thrownBy, type Members } from '../../utils/core/index.js';

const read = (change: Members = {}) => readEvidence(someEvidence(change), NOW);
const outcome = (change: Members) => thrownBy(() => read(change));
const names = (count: number, prefix = 'x-n-') => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('runtime evidence', () => {
  it('is read, and other members are left behind', () => {
    expect(read({ found: ['vpn'], extra: 1 })).toEqual({
      at: NOW - 10,
      found: ['vpn'],
      clear: ['root', 'debugger', 'hooking'],
      sdk: 'tests/1.0.0',
    });
  });

  it.each([undefined, null, 'x', 1, true, [], [someEvidence()]])('refuses %j in its place', (value) =>
    expect(thrownBy(() => readEvidence(value, NOW))).toBe('malformed_token'),
  );

  it.each(['at', 'found', 'clear', 'sdk'])('refuses evidence without %s', (member) => {
    const { [member]: _left, ...rest } = someEvidence();
    expect(thrownBy(() => readEvidence(rest, NOW))).toBe('malformed_token');
  });

  it.each([0, NOW - 1, NOW])('takes at %s', (at) => expect(read({ at }).at).toBe(at));
  it.each([NOW + 1, -1, 1.5, String(NOW), null, 2 ** 53, [NOW], {}, true])('refuses at %j', (at) =>
    expect(outcome({ at })).toBe('malformed_token'),
  );

  it.each(['x', 'talsec/1.2.3', ' ', '~', 'n/1 (debug)', 'x'.repeat(64)])('takes sdk %j', (sdk) =>
    expect(read({ sdk }).sdk).toBe(sdk),
  );
  it.each(['', 'x'.repeat(65), 'é/1', 'a\tb', 'a\n', 'a\u007f', null, 1, [], {}])('refuses sdk %j', (sdk) =>
    expect(outcome({ sdk })).toBe('malformed_token'),
  );

  for (const member of ['found', 'clear']) {
    it.each([null, 'root', {}, 1, { length: 0 }])(`refuses ${member} %j`, (value) =>
      expect(outcome({ [member]: value })).toBe('malformed_token'),
    );
    it.each(['', 'Root', 'a_b', 'a b', 'a.b', 'ä', 'a\n', 'x'.repeat(65), 1, null, ['root'], {}])(
      `refuses the name %j in ${member}`,
      (name) => expect(outcome({ found: [], clear: [], [member]: [name] })).toBe('malformed_token'),
    );
    it.each(['a', '-', '0', 'x-vendor-name', 'x'.repeat(64)])(`takes the name %s in ${member}`, (name) =>
      expect(read({ found: [], clear: [], [member]: [name] })).toMatchObject({ [member]: [name] }),
    );
    it(`refuses a name twice in ${member}`, () =>
      expect(outcome({ found: [], clear: [], [member]: ['root', 'vpn', 'root'] })).toBe('malformed_token'));
    it(`takes 64 names in ${member}, and not 65`, () => {
      expect(outcome({ found: [], clear: [], [member]: names(64) })).toBe('accepted');
      expect(outcome({ found: [], clear: [], [member]: names(65) })).toBe('malformed_token');
    });
  }

  it('refuses a name that is both found and clear', () =>
    expect(outcome({ found: ['root'], clear: ['root'] })).toBe('malformed_token'));
  it('takes 64 names together, and not 65', () => {
    expect(outcome({ found: names(32), clear: names(32, 'x-m-') })).toBe('accepted');
    expect(outcome({ found: names(32), clear: names(33, 'x-m-') })).toBe('malformed_token');
  });
  it('takes empty lists', () => expect(read({ found: [], clear: [] })).toMatchObject({ found: [], clear: [] }));
});
