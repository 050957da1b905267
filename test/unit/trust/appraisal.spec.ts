import { describe, expect, it } from 'vitest';
import { appraise } from '../../../lib/trust/appraisal.js';
import { ASSURANCE_LEVELS, currentAssurance, meetsAssurance, type Assurance } from '../../../lib/trust/assurance.js';
import type { RuntimeRequirement, TrustRequirement } from '../../../lib/trust/requirement.js';
import { CONTRADICTION } from '../../../lib/trust/contradiction.js';
import { THREATS } from '../../../lib/trust/threats.js';
import { NOW, requiring } from '../../utils/core/index.js';
import { inputOf, judge, type Facts } from './facts.js';

const DENIED = 'insufficient_trust';
const OK = 'accepted';
const STEP_UP = 'step_up_required';

describe('threats found × deny', () => {
  it.each<[string[], RuntimeRequirement['deny'], string]>([
    [[], 'all', OK],
    [[], [], OK],
    [[], ['root'], OK],
    [['vpn'], 'all', DENIED],
    [['vpn'], [], OK],
    [['vpn'], ['vpn'], DENIED],
    [['vpn'], ['mitm'], OK],
    [['vpn'], ['mitm', 'vpn'], DENIED],
    [['vpn', 'mitm'], ['mitm'], DENIED],
    [['mitm', 'vpn'], ['mitm'], DENIED],
    [['vpn', 'overlay'], ['mitm'], OK],
    [['x-acme-worm'], 'all', DENIED],
    [['x-acme-worm'], [], DENIED],
    [['x-acme-worm'], ['root'], DENIED],
    [['x-acme-worm'], ['x-acme-worm'], DENIED],
    [['vpn', 'x-acme-worm'], [], DENIED],
    [['invented'], 'all', DENIED],
    [['invented'], [], DENIED],
    [['invented'], ['root'], DENIED],
    [['constructor'], [], DENIED],
  ])('%j under %j: %s', (found, deny, outcome) => expect(judge({ found }, { runtime: { deny } })).toBe(outcome));

  it.each(THREATS)('%s: denied by all and by its name, ignored otherwise', (name) => {
    const facts = { found: [name], clear: ['root', 'debugger'].filter((each) => each !== name) };
    const runtime = { require: [] };
    expect(judge(facts, { runtime: { ...runtime, deny: 'all' } })).toBe(DENIED);
    expect(judge(facts, { runtime: { ...runtime, deny: [name] } })).toBe(DENIED);
    expect(judge(facts, { runtime: { ...runtime, deny: [] } })).toBe(OK);
    expect(appraise(inputOf(facts), requiring({ runtime: { ...runtime, deny: [] } }))).toMatchObject({
      flags: [],
      watched: [],
    });
  });
});

describe('probes clear × require', () => {
  it.each<[string[], RuntimeRequirement['require'], string[], string]>([
    [['root', 'debugger'], 'declared', ['root', 'debugger'], OK],
    [['root', 'debugger', 'vpn'], 'declared', ['root', 'debugger'], OK],
    [['root'], 'declared', ['root', 'debugger'], DENIED],
    [['debugger'], 'declared', ['root', 'debugger'], DENIED],
    [[], 'declared', ['root'], DENIED],
    [[], 'declared', [], OK],
    [[], [], ['root'], OK],
    [['root'], ['root'], ['debugger'], OK],
    [['debugger'], ['root'], ['debugger'], DENIED],
    [['vpn'], ['root', 'vpn'], [], DENIED],
    [['root', 'vpn'], ['root', 'vpn'], [], OK],
    [['x-acme-worm'], ['x-acme-worm'], [], OK],
    [['root'], ['x-acme-worm'], [], DENIED],
    [['rootx'], ['root'], [], DENIED],
    [['invented'], [], [], OK],
    [['invented'], ['root'], [], DENIED],
  ])('clear %j under %j, declared %j: %s', (clear, require, probes, outcome) =>
    expect(judge({ clear, probes }, { runtime: { require } })).toBe(outcome),
  );

  it('does not take a threat found and let through for a probe that is clear', () =>
    expect(judge({ found: ['root'], clear: ['debugger'] }, { runtime: { deny: [] } })).toBe(DENIED));
});

describe('age of the evidence × maxAge', () => {
  it.each([
    [0, 0, OK],
    [1, 0, DENIED],
    [59, 60, OK],
    [60, 60, OK],
    [61, 60, DENIED],
    [300, 300, OK],
    [301, 300, DENIED],
    [1e6, Number.MAX_SAFE_INTEGER, OK],
  ])('%s s, at most %s: %s', (age, maxAge, outcome) => expect(judge({ age }, { runtime: { maxAge } })).toBe(outcome));

  it('is 300 s by default, and says so', () => {
    expect([judge({ age: 300 }, {}), judge({ age: 301 }, {})]).toEqual([OK, DENIED]);
    expect(() => appraise(inputOf({ age: 301 }), requiring())).toThrow(
      expect.objectContaining({ hints: { maxAge: 300 } }) as Error,
    );
  });
});

describe('version × minVersion of the policy × of the app', () => {
  it.each<[string, string | null, string | null, string]>([
    ['1.4.0', null, null, OK],
    ['1.4.0', '1.4.0', null, OK],
    ['1.4.0', null, '1.4.0', OK],
    ['1.4.0', '1.4.1', null, DENIED],
    ['1.4.0', null, '1.4.1', DENIED],
    ['1.4.0', '1.0.0', '1.4.1', DENIED],
    ['1.4.0', '1.4.1', '1.0.0', DENIED],
    ['1.10.0', '1.9.0', '1.2.0', OK],
    ['1.9.0', '1.10.0', null, DENIED],
    ['1.4.0-rc.1', '1.4.0', null, DENIED],
    ['1.4.0', '1.4.0-rc.1', null, OK],
    ['1.4.0+5', '1.4.0+9', null, OK],
    ['0.0.0', '0.0.0', '0.0.0', OK],
    ['2.0.0', '10.0.0', null, DENIED],
  ])('%s, policy %s, app %s: %s', (version, minVersion, appMinimum, outcome) =>
    expect(judge({ version, appMinimum }, { minVersion })).toBe(outcome),
  );
});

describe('assurance × requirement × expiry', () => {
  it.each<[Assurance, Assurance, number, string]>([
    ['none', 'none', 100, OK],
    ['none', 'software', 100, DENIED],
    ['none', 'tee', 100, DENIED],
    ['none', 'strongbox', 100, DENIED],
    ['software', 'none', 100, OK],
    ['software', 'software', 100, OK],
    ['software', 'tee', 100, DENIED],
    ['software', 'strongbox', 100, DENIED],
    ['tee', 'none', 100, OK],
    ['tee', 'software', 100, OK],
    ['tee', 'tee', 100, OK],
    ['tee', 'strongbox', 100, DENIED],
    ['strongbox', 'none', 100, OK],
    ['strongbox', 'software', 100, OK],
    ['strongbox', 'tee', 100, OK],
    ['strongbox', 'strongbox', 100, OK],
    ['tee', 'none', 0, OK],
    ['tee', 'software', 1, OK],
    ['tee', 'software', 0, STEP_UP],
    ['tee', 'tee', 0, STEP_UP],
    ['tee', 'tee', -1000, STEP_UP],
    ['tee', 'strongbox', 0, DENIED],
    ['strongbox', 'strongbox', 0, STEP_UP],
    ['software', 'software', -1, STEP_UP],
    ['software', 'tee', -1, DENIED],
    ['none', 'software', -1, DENIED],
    ['none', 'none', -1, OK],
  ])('%s for %s, expiring in %s s: %s', (assurance, required, expires, outcome) =>
    expect(judge({ assurance, expires }, { assurance: required })).toBe(outcome),
  );

  it('says what mends it', () =>
    expect(() => appraise(inputOf({ expires: 0 }), requiring({ assurance: 'software' }))).toThrow(
      expect.objectContaining({ hints: { requirement: 'attestation' } }) as Error,
    ));

  it('reports the assurance as it counts now', () => {
    expect(appraise(inputOf({ assurance: 'tee' }), requiring()).assurance).toBe('tee');
    expect(appraise(inputOf({ assurance: 'tee', expires: 0 }), requiring()).assurance).toBe('none');
    expect(currentAssurance({ assurance: 'tee', attestationExpiresAt: NOW }, NOW)).toBe('none');
  });

  it('orders the levels', () => {
    expect([...ASSURANCE_LEVELS]).toEqual(['none', 'software', 'tee', 'strongbox']);
    ASSURANCE_LEVELS.forEach((a, i) => ASSURANCE_LEVELS.forEach((b, j) => expect(meetsAssurance(a, b)).toBe(i >= j)));
  });
});

const fresh = { attestedAgo: 300 };
const stale = { attestedAgo: 301 };

describe('threats found × the lists of a policy', () => {
  type Row = [string[], Partial<RuntimeRequirement>, Facts, string, string[], string[]];
  it.each<Row>([
    [['vpn'], { flag: ['vpn'] }, {}, OK, ['vpn'], []],
    [['vpn'], { monitor: ['vpn'] }, {}, OK, ['vpn'], ['vpn']],
    [['vpn'], { deny: ['root'] }, {}, OK, [], []],
    [['vpn'], { stepUp: ['vpn'] }, fresh, OK, ['vpn'], []],
    [['vpn'], { stepUp: ['vpn'] }, stale, STEP_UP, [], []],
    [['vpn'], { stepUp: ['vpn'], stepUpMaxAge: 301 }, stale, OK, ['vpn'], []],
    [['vpn'], { stepUp: ['vpn'] }, { ...fresh, format: 'none' }, STEP_UP, [], []],
    [['vpn'], { stepUp: ['vpn'] }, { ...fresh, expires: 0 }, STEP_UP, [], []],
    [['vpn'], { deny: ['vpn'], flag: ['vpn'] }, {}, DENIED, [], []],
    [['vpn'], { stepUp: ['vpn'], flag: ['vpn'] }, stale, STEP_UP, [], []],
    [['vpn', 'mitm'], { stepUp: ['vpn'] }, stale, DENIED, [], []],
    [['mitm', 'vpn'], { stepUp: ['vpn'], flag: ['mitm'] }, stale, STEP_UP, [], []],
    [['mitm', 'vpn', 'overlay'], { deny: [], flag: ['mitm'], monitor: ['vpn'] }, {}, OK, ['mitm', 'vpn'], ['vpn']],
    [['x-acme-worm'], { flag: ['x-acme-worm'] }, {}, OK, ['x-acme-worm'], []],
    [['x-acme-worm'], { deny: [], flag: ['x-acme-mole'] }, {}, DENIED, [], []],
    [['x-acme-worm'], { unknown: 'flag' }, {}, OK, ['x-acme-worm'], []],
    [['invented'], { unknown: 'flag' }, {}, OK, ['invented'], []],
    [['invented'], { deny: [], unknown: 'flag' }, {}, OK, ['invented'], []],
    [['x-acme-worm'], { unknown: 'flag', deny: ['x-acme-worm'] }, {}, DENIED, [], []],
    [['vpn'], { unknown: 'flag' }, {}, DENIED, [], []],
  ])('%j under %j, %j: %s, flags %j, watched %j', (found, runtime, facts, outcome, flags, watched) => {
    expect(judge({ found, ...facts }, { runtime })).toBe(outcome);
    if (outcome !== OK) return;
    const appraisal = appraise(inputOf({ found, ...facts }), requiring({ runtime }));
    expect([appraisal.flags, appraisal.watched]).toEqual([flags, watched]);
  });

  it('says how new an attestation has to be', () =>
    expect(() => appraise(inputOf({ found: ['vpn'], ...stale }), requiring({ runtime: { stepUp: ['vpn'] } }))).toThrow(
      expect.objectContaining({ hints: { requirement: 'attestation', maxAge: 300 } }) as Error,
    ));
});

describe('contradictions', () => {
  const UNVERIFIED = { attested: { verifiedBootState: 'UNVERIFIED' } };
  const EMULATOR = { attested: { emulator: true, securityLevel: 'software' } };
  const probes: string[] = [];
  it.each<[string, Facts, string]>([
    ['nothing attested', {}, OK],
    ['boot verified', { attested: { verifiedBootState: 'VERIFIED' } }, OK],
    ['boot of no known state', { attested: { verifiedBootState: 7 } }, OK],
    ['boot not verified, root clear', UNVERIFIED, DENIED],
    ['boot self-signed, root clear', { attested: { verifiedBootState: 'SELF_SIGNED' } }, DENIED],
    // Saying less, or something else, does not mend what the platform attested.
    ['boot not verified, root not checked', { ...UNVERIFIED, probes, clear: [] }, DENIED],
    ['boot not verified, root found', { ...UNVERIFIED, probes, clear: [], found: ['root'] }, DENIED],
    ['an emulator, clear of it', { ...EMULATOR, clear: ['root', 'debugger', 'emulator'] }, DENIED],
    ['an emulator, not checked', EMULATOR, DENIED],
    ['an emulator, attested in hardware', { attested: { emulator: true, securityLevel: 'tee' } }, OK],
    ['no emulator', { attested: { emulator: false, securityLevel: 'software' } }, OK],
    ['the attested version', { attested: { appVersion: '1.4.0' } }, OK],
    ['a newer version than attested', { attested: { appVersion: '1.3.9' } }, DENIED],
    ['an older version than attested', { attested: { appVersion: '1.5.0' } }, DENIED],
    ['measured when the key was made', { age: 10, createdAgo: 0 }, OK],
    ['measured as long before the key as enrolment allows', { age: 300, createdAgo: 0 }, OK],
    ['measured longer before the key existed', { age: 301, createdAgo: 0 }, DENIED],
  ])('%s', (_what, facts, outcome) => {
    const runtime = { maxAge: 1000, flag: ['root'] } as const;
    expect(judge(facts, { runtime })).toBe(outcome);
    const tolerant = { ...runtime, flag: ['root', CONTRADICTION] } as const;
    expect(judge(facts, { runtime: tolerant })).toBe(OK);
    const named = appraise(inputOf(facts), requiring({ runtime: tolerant })).flags.includes(CONTRADICTION);
    expect(named).toBe(outcome === DENIED);
  });

  it.each<[Facts, string]>([
    [UNVERIFIED, 'threat found: x-tab-contradiction (root clear, boot not verified)'],
    [{ ...UNVERIFIED, clear: [] }, 'threat found: x-tab-contradiction (root not checked, boot not verified)'],
    [EMULATOR, 'threat found: x-tab-contradiction (emulator not checked, attested by an emulator)'],
  ])('says what contradicts: %j', (facts, detail) =>
    expect(() => appraise(inputOf(facts), requiring())).toThrow(
      expect.objectContaining({ detail, reason: 'breach' }) as Error,
    ),
  );

  it('is denied also where the client reports it, and once', () => {
    expect(judge({ found: [CONTRADICTION] }, {})).toBe(DENIED);
    const flagged = requiring({ runtime: { flag: [CONTRADICTION] } });
    expect(appraise(inputOf({ ...UNVERIFIED, found: [CONTRADICTION] }), flagged).flags).toEqual([CONTRADICTION]);
  });
});

describe('format and age of the attestation', () => {
  it.each<[Facts, Partial<TrustRequirement>, string]>([
    [{}, { formats: ['client-attestation'] }, OK],
    [{}, { formats: ['android-key', 'client-attestation'] }, OK],
    [{}, { formats: ['android-key'] }, STEP_UP],
    [{ expires: 1 }, { formats: ['client-attestation'] }, OK],
    [{ expires: 0 }, { formats: ['client-attestation'] }, STEP_UP],
    [{ expires: 0 }, { formats: 'any' }, OK],
    [{ expires: 0 }, { formats: ['client-attestation', 'none'] }, OK],
    [{ expires: 0 }, { formats: ['none'] }, STEP_UP],
    [{ expires: 0, format: 'none' }, { formats: ['none'] }, OK],
    [{ format: 'none' }, { formats: ['none'] }, OK],
    [{ format: 'none' }, { formats: 'any' }, OK],
    [{ attestedAgo: 60 }, { attestationMaxAge: 60 }, OK],
    [{ attestedAgo: 61 }, { attestationMaxAge: 60 }, STEP_UP],
    [{ attestedAgo: 0 }, { attestationMaxAge: 0 }, OK],
    [{ attestedAgo: 0, format: 'none' }, { attestationMaxAge: 60 }, STEP_UP],
    [{ attestedAgo: 0, expires: 0 }, { attestationMaxAge: 60 }, STEP_UP],
    [{ attestedAgo: 1e9 }, { attestationMaxAge: null }, OK],
    [{ attested: { keyBound: true } }, { keyBound: true }, OK],
    [{ attested: { keyBound: false } }, { keyBound: true }, STEP_UP],
    [{ attested: { keyBound: 'true' } }, { keyBound: true }, STEP_UP],
    [{ attested: {} }, { keyBound: true }, STEP_UP],
    [{ attested: { keyBound: true }, expires: 0 }, { keyBound: true }, STEP_UP],
    [{ attested: { keyBound: true }, format: 'none' }, { keyBound: true }, STEP_UP],
    [{ attested: { keyBound: false } }, { keyBound: false }, OK],
    [{ expires: 1 }, { assertion: true }, OK],
    [{ expires: 0 }, { assertion: true }, STEP_UP],
    [{ format: 'none' }, { assertion: true }, STEP_UP],
  ])('%j for %j: %s', (facts, requirement, outcome) => expect(judge(facts, requirement)).toBe(outcome));
});

describe('versions by platform, and blocked ones', () => {
  it.each<[Facts, Partial<TrustRequirement>, string]>([
    [{}, { minVersion: { android: '1.4.0', ios: '9.0.0' } }, OK],
    [{}, { minVersion: { android: '1.5.0', ios: '1.0.0' } }, DENIED],
    [{ platform: 'ios' }, { minVersion: { android: '9.0.0' } }, OK],
    [{ platform: 'constructor' }, { minVersion: { android: '9.0.0' } }, OK],
    [{ appMinimum: '1.5.0' }, { minVersion: { android: '1.0.0' } }, DENIED],
    [{ blocked: ['<1.4.0'] }, {}, OK],
    [{ blocked: ['<1.5.0'] }, {}, DENIED],
    [{ blocked: ['<1.0.0', '1.4.x'] }, {}, DENIED],
    [{ blocked: ['not a range'] }, {}, DENIED],
  ])('%j for %j: %s', (facts, requirement, outcome) => expect(judge(facts, requirement)).toBe(outcome));

  it('are what a record calls an outdated client', () =>
    expect(() => appraise(inputOf({ blocked: ['*'] }), requiring())).toThrow(
      expect.objectContaining({ reason: 'version', detail: 'app version is blocked' }) as Error,
    ));
});
