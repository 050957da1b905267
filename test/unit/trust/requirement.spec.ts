import { describe, expect, it } from 'vitest';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { checkRequirement, checkResolved } from '../../../lib/trust/requirement-check.js';
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
      attestationMaxAge: null,
      formats: 'any',
      keyBound: false,
      assertion: false,
      minVersion: null,
      runtime: {
        deny: 'all',
        stepUp: [],
        flag: [],
        monitor: [],
        unknown: 'deny',
        stepUpMaxAge: 300,
        require: 'declared',
        maxAge: 300,
      },
      body: true,
      challenge: 'recent',
      proof: 'any',
      headers: [],
      mode: 'enforce',
      onBreach: 'reject',
      appraise: [],
    }));
});

describe('mergeRequirements', () => {
  it.each<[string, TrustRequirementOptions]>([
    ['session', { session: 'none' }],
    ['assurance', { assurance: 'tee' }],
    ['minVersion', { minVersion: '2.0.0' }],
    ['body', { body: false }],
    ['challenge', { challenge: 'single-use' }],
    ['proof', { proof: 'signature' }],
    ['headers', { headers: ['a'] }],
    ['attestationMaxAge', { attestationMaxAge: 60 }],
    ['formats', { formats: ['android-key'] }],
    ['mode', { mode: 'monitor' }],
    ['onBreach', { onBreach: 'suspend' }],
    ['appraise', { appraise: [() => 'pass'] }],
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
    [{ stepUp: ['vpn'] }],
    [{ flag: ['vpn'] }],
    [{ monitor: ['vpn'] }],
    [{ unknown: 'flag' }],
    [{ stepUpMaxAge: 0 }],
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
      runtime: { ...DEFAULT_REQUIREMENT.runtime, deny: ['root'], maxAge: 20 },
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
    [{ runtime: { stepUp: ['vpn'], flag: ['mitm'], monitor: ['overlay'], unknown: 'flag', stepUpMaxAge: 60 } }],
    [{ attestationMaxAge: 0, formats: ['android-key', 'none'], mode: 'monitor', onBreach: 'revoke-instance' }],
    [{ attestationMaxAge: null, formats: 'any', appraise: [] }],
    [{ minVersion: { android: '1.2.3', ios: '2.0.0-rc.1' } }],
    [{ minVersion: {} }],
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
    [{ headers: ['Idempotency-Key'] }, /^policy\.headers: 'Idempotency-Key' is not one of lower-case header names/],
    [{ headers: [''] }, /^policy\.headers: /],
    [{ headers: [1] }, /^policy\.headers: /],
    [{ runtime: null }, /^policy\.runtime: write an object/],
    [{ runtime: 'all' }, /^policy\.runtime: write an object/],
    [{ runtime: { deny: 'none' } }, /^policy\.runtime\.deny: write 'all' or a list of threat names/],
    [{ runtime: { deny: ['rooted'] } }, /^policy\.runtime\.deny: 'rooted' is not one of threat names/],
    [{ runtime: { deny: [1] } }, /^policy\.runtime\.deny: '1' is not one of threat names/],
    [{ runtime: { require: 'all' } }, /^policy\.runtime\.require: write 'declared' or a list of threat names/],
    [{ runtime: { require: ['Root'] } }, /^policy\.runtime\.require: 'Root' is not one of threat names/],
    [{ runtime: { maxAge: -1 } }, /^policy\.runtime\.maxAge: write seconds/],
    [{ runtime: { maxAge: 1.5 } }, /^policy\.runtime\.maxAge: write seconds/],
    [{ runtime: { maxAge: '60' } }, /^policy\.runtime\.maxAge: write seconds/],
    [{ runtime: { maxAge: NaN } }, /^policy\.runtime\.maxAge: write seconds/],
    [{ runtime: { maxAge: Infinity } }, /^policy\.runtime\.maxAge: write seconds/],
    [{ runtime: { stepUp: 'all' } }, /^policy\.runtime\.stepUp: write a list of threat names/],
    [{ runtime: { flag: ['rooted'] } }, /^policy\.runtime\.flag: 'rooted' is not one of threat names/],
    [{ runtime: { monitor: 'all' } }, /^policy\.runtime\.monitor: write a list of threat names/],
    [{ runtime: { unknown: 'monitor' } }, /^policy\.runtime\.unknown: write one of 'deny', 'flag'/],
    [{ runtime: { unknown: 'ignore' } }, /^policy\.runtime\.unknown: /],
    [{ runtime: { stepUpMaxAge: '5m' } }, /^policy\.runtime\.stepUpMaxAge: write seconds/],
    [{ attestationMaxAge: -1 }, /^policy\.attestationMaxAge: write seconds/],
    [{ attestationMaxAge: '1d' }, /^policy\.attestationMaxAge: write seconds/],
    [{ formats: 'android-key' }, /^policy\.formats: write 'any' or a list of attestation formats/],
    [{ formats: ['Android Key'] }, /^policy\.formats: 'Android Key' is not one of attestation formats/],
    [{ minVersion: { android: '1.0' } }, /^policy\.minVersion\.android: .*SemVer 2\.0\.0/],
    [{ minVersion: ['1.0.0', 'x'] }, /^policy\.minVersion\.1: /],
    [{ mode: 'off' }, /^policy\.mode: write one of 'enforce', 'monitor'/],
    [{ mode: null }, /^policy\.mode: /],
    [{ onBreach: 'revoke' }, /^policy\.onBreach: write one of 'reject', 'revoke-session', 'suspend', /],
    [{ appraise: 'rule' }, /^policy\.appraise: write a list of functions/],
    [{ appraise: [null] }, /^policy\.appraise: write a list of functions/],
    [{ appraise: () => 'pass' }, /^policy\.appraise: write a list of functions/],
  ])('refuses %j and says what to write', (requirement, message) => {
    const call = () => checkRequirement(requirement as TrustRequirementOptions, 'policy');
    expect(call).toThrow(TabConfigError);
    expect(call).toThrow(message);
  });
});

describe('checkResolved', () => {
  const check = (options: TrustRequirementOptions) => () =>
    checkResolved(mergeRequirements(DEFAULT_REQUIREMENT, options), 'Transfers.create');

  it.each<[TrustRequirementOptions]>([
    [{}],
    [{ runtime: { deny: ['root'], stepUp: ['vpn'], flag: ['mitm'], monitor: ['overlay'] } }],
    [{ onBreach: 'revoke-session' }],
    [{ onBreach: 'revoke-session', session: 'optional' }],
    [{ onBreach: 'suspend', session: 'none' }],
    [{ formats: ['none'] }],
    [{ formats: ['none', 'android-key'], assurance: 'tee', attestationMaxAge: 60 }],
  ])('takes %j', (options) => expect(check(options)).not.toThrow());

  it.each<[TrustRequirementOptions, RegExp]>([
    [{ runtime: { deny: ['vpn'], flag: ['vpn'] } }, /^Transfers\.create\.runtime: 'vpn' is in both deny and flag/],
    [{ runtime: { stepUp: ['x-a-b'], monitor: ['x-a-b'] } }, /'x-a-b' is in both stepUp and monitor; keep one/],
    [{ runtime: { flag: ['vpn'], monitor: ['vpn'] } }, /'vpn' is in both flag and monitor/],
    [{ onBreach: 'revoke-session', session: 'none' }, /^Transfers\.create: onBreach: 'revoke-session' needs a session/],
    [{ formats: [] }, /formats: no format is left/],
    [{ formats: ['none'], assurance: 'software' }, /formats: \['none'\] can reach no assurance/],
    [{ formats: ['none'], attestationMaxAge: 60 }, /formats: \['none'\] can reach no assurance/],
  ])('refuses %j', (options, message) => {
    expect(check(options)).toThrow(TabConfigError);
    expect(check(options)).toThrow(message);
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
