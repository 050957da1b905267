import { describe, expect, it } from 'vitest';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { checkRequirement } from '../../../lib/trust/requirement-check.js';
import {
  DEFAULT_REQUIREMENT,
  mergeRequirements,
  type TrustRequirementOptions,
} from '../../../lib/trust/requirement.js';
import { isKnownThreat, isThreatName, THREATS } from '../../../lib/trust/threats.js';

describe('the default requirement', () => {
  it('is the strict one', () =>
    expect(DEFAULT_REQUIREMENT).toEqual({
      session: 'required',
      assurance: 'none',
      minVersion: null,
      runtime: { deny: 'all', require: 'declared', maxAge: 300 },
      body: true,
      challenge: 'recent',
      headers: [],
    }));
});

describe('mergeRequirements', () => {
  it.each<[string, TrustRequirementOptions]>([
    ['session', { session: 'none' }],
    ['assurance', { assurance: 'tee' }],
    ['minVersion', { minVersion: '2.0.0' }],
    ['body', { body: false }],
    ['challenge', { challenge: 'single-use' }],
    ['headers', { headers: ['a'] }],
  ])('takes %s from the level that says it, and nothing else', (_what, level) => {
    expect(mergeRequirements(DEFAULT_REQUIREMENT, level)).toEqual({ ...DEFAULT_REQUIREMENT, ...level });
    expect(mergeRequirements(DEFAULT_REQUIREMENT, {}, level, {})).toEqual({ ...DEFAULT_REQUIREMENT, ...level });
  });

  it.each<[TrustRequirementOptions['runtime']]>([
    [{ deny: ['root'] }],
    [{ deny: [] }],
    [{ require: ['root'] }],
    [{ require: [] }],
    [{ maxAge: 0 }],
  ])('merges runtime by its own members: %j', (runtime) =>
    expect(mergeRequirements(DEFAULT_REQUIREMENT, { runtime }).runtime).toEqual({
      ...DEFAULT_REQUIREMENT.runtime,
      ...runtime,
    }),
  );

  it('lets later levels win, member by member', () => {
    const merged = mergeRequirements(
      DEFAULT_REQUIREMENT,
      { session: 'none', challenge: 'none', runtime: { maxAge: 10, deny: ['root'] } },
      { session: 'optional', runtime: { maxAge: 20 }, minVersion: '1.0.0' },
      { minVersion: null },
    );
    expect(merged).toEqual({
      ...DEFAULT_REQUIREMENT,
      session: 'optional',
      challenge: 'none',
      runtime: { deny: ['root'], require: 'declared', maxAge: 20 },
      minVersion: null,
    });
  });

  it('takes undefined for "not said", so that nothing can be undone by accident', () => {
    const level = {
      session: undefined,
      runtime: { deny: undefined, maxAge: undefined },
      body: undefined,
    } as TrustRequirementOptions;
    expect(mergeRequirements(DEFAULT_REQUIREMENT, level, { runtime: undefined })).toEqual(DEFAULT_REQUIREMENT);
  });

  it('changes none of its arguments', () => {
    const level = Object.freeze({ runtime: Object.freeze({ maxAge: 1 }) });
    mergeRequirements(
      Object.freeze({ ...DEFAULT_REQUIREMENT, runtime: Object.freeze({ ...DEFAULT_REQUIREMENT.runtime }) }),
      level,
      { body: false },
    );
    expect(level).toEqual({ runtime: { maxAge: 1 } });
  });
});

describe('checkRequirement', () => {
  it.each<[TrustRequirementOptions]>([
    [{}],
    [
      {
        session: 'optional',
        assurance: 'strongbox',
        minVersion: '1.0.0-rc.1',
        body: false,
        challenge: 'single-use',
        headers: ['idempotency-key'],
      },
    ],
    [{ minVersion: null }],
    [{ runtime: {} }],
    [{ runtime: { deny: 'all', require: 'declared', maxAge: 0 } }],
    [{ runtime: { deny: ['root', 'x-acme-worm'], require: [] } }],
  ])('takes %j', (requirement) => expect(() => checkRequirement(requirement, 'policy')).not.toThrow());

  it.each<[unknown, RegExp]>([
    [null, /^policy: write an object/],
    ['strict', /^policy: write an object/],
    [{ sesion: 'none' }, /^policy: unknown member 'sesion'; write one of session, /],
    [{ runtime: { max: 1 } }, /^policy\.runtime: unknown member 'max'/],
    [{ session: 'yes' }, /^policy\.session: write one of 'required', 'optional', 'none'/],
    [{ session: true }, /^policy\.session: /],
    [{ session: null }, /^policy\.session: /],
    [{ challenge: 'single' }, /^policy\.challenge: write one of 'none', 'recent', 'single-use'/],
    [{ assurance: 'hardware' }, /^policy\.assurance: write one of 'none', 'software', 'tee', 'strongbox'/],
    [{ minVersion: '1.0' }, /^policy\.minVersion: .*SemVer 2\.0\.0/],
    [{ minVersion: 1 }, /^policy\.minVersion: /],
    [{ body: 'false' }, /^policy\.body: write true or false/],
    [{ headers: 'idempotency-key' }, /^policy\.headers: write a list/],
    [{ headers: ['Idempotency-Key'] }, /^policy\.headers: 'Idempotency-Key' is not a lower-case header name/],
    [{ headers: [''] }, /^policy\.headers: /],
    [{ headers: [1] }, /^policy\.headers: /],
    [{ runtime: null }, /^policy\.runtime: write an object/],
    [{ runtime: 'all' }, /^policy\.runtime: write an object/],
    [{ runtime: { deny: 'none' } }, /^policy\.runtime\.deny: write 'all' or a list of threat names/],
    [{ runtime: { deny: ['rooted'] } }, /^policy\.runtime\.deny: 'rooted' is not a threat name/],
    [{ runtime: { deny: [1] } }, /^policy\.runtime\.deny: '1' is not a threat name/],
    [{ runtime: { require: 'all' } }, /^policy\.runtime\.require: write 'declared' or a list of threat names/],
    [{ runtime: { require: ['Root'] } }, /^policy\.runtime\.require: 'Root' is not a threat name/],
    [{ runtime: { maxAge: -1 } }, /^policy\.runtime\.maxAge: write seconds/],
    [{ runtime: { maxAge: 1.5 } }, /^policy\.runtime\.maxAge: write seconds/],
    [{ runtime: { maxAge: '60' } }, /^policy\.runtime\.maxAge: write seconds/],
    [{ runtime: { maxAge: NaN } }, /^policy\.runtime\.maxAge: write seconds/],
    [{ runtime: { maxAge: Infinity } }, /^policy\.runtime\.maxAge: write seconds/],
  ])('refuses %j and says what to write', (requirement, message) => {
    const call = () => checkRequirement(requirement as TrustRequirementOptions, 'policy');
    expect(call).toThrow(TabConfigError);
    expect(call).toThrow(message);
  });
});

describe('threat names', () => {
  it('are the 24 of PROTOCOL section 3', () => {
    const names =
      'root emulator debugger hooking tamper memory-tamper untrusted-install device-binding keystore-compromised mitm vpn overlay accessibility-abuse screen-capture remote-control automation malware developer-mode cloned-instance time-spoof location-spoof no-passcode unsafe-network obfuscation-missing';
    expect([...THREATS]).toEqual(names.split(' '));
  });
  it.each([
    ['root', true, true],
    ['x-acme-worm', false, true],
    ['x-a-b-c', false, true],
    ['x-acme', false, false],
    ['x-', false, false],
    ['rooted', false, false],
    ['Root', false, false],
    ['', false, false],
    [`x-a-${'b'.repeat(60)}`, false, true],
    [`x-a-${'b'.repeat(61)}`, false, false],
    ['constructor', false, false],
  ])('%s: known %s, writable %s', (name, known, writable) =>
    expect([isKnownThreat(name), isThreatName(name)]).toEqual([known, writable]),
  );
});
