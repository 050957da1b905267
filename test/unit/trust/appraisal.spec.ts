import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TabError } from '../../../lib/errors/tab-error.js';
import { readClaims } from '../../../lib/token/claims.js';
import { appraise, type AppraisalInput } from '../../../lib/trust/appraisal.js';
import { ASSURANCE_LEVELS, currentAssurance, meetsAssurance, type Assurance } from '../../../lib/trust/assurance.js';
import type { RuntimeRequirement, TrustRequirementOptions } from '../../../lib/trust/requirement.js';
import { THREATS, type ThreatName } from '../../../lib/trust/threats.js';
import { NOW, requiring, someClaims, someEvidence } from '../../utils/core/index.js';

interface Facts {
  found?: string[];
  clear?: string[];
  /** Seconds before `iat`. */
  age?: number;
  version?: string;
  appMinimum?: string | null;
  probes?: string[];
  assurance?: Assurance;
  /** Seconds after now. */
  expires?: number;
}

function inputOf(facts: Facts): AppraisalInput {
  const {
    found = [],
    clear = ['root', 'debugger'],
    age = 10,
    version = '1.4.0',
    appMinimum = null,
    probes = ['root', 'debugger'],
    assurance = 'software',
    expires = 1000,
  } = facts;
  return {
    claims: readClaims(
      someClaims({ rt: someEvidence({ at: NOW - age, found, clear }), app: { id: 'com.example.app', ver: version } }),
    ),
    app: { minVersion: appMinimum, probes },
    instance: { assurance, attestationExpiresAt: NOW + expires },
    now: NOW,
  };
}

function judge(facts: Facts, requirement: TrustRequirementOptions): string {
  try {
    appraise(inputOf(facts), requiring(requirement));
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(TabError);
    return (error as TabError).code;
  }
}
const DENIED = 'insufficient_trust';
const OK = 'accepted';

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

  it.each(THREATS)('%s: denied by all and by its name, a flag otherwise', (name) => {
    const facts = { found: [name], clear: ['root', 'debugger'].filter((each) => each !== name) };
    const runtime = { require: [] };
    expect(judge(facts, { runtime: { ...runtime, deny: 'all' } })).toBe(DENIED);
    expect(judge(facts, { runtime: { ...runtime, deny: [name] } })).toBe(DENIED);
    expect(judge(facts, { runtime: { ...runtime, deny: [] } })).toBe(OK);
    expect(appraise(inputOf(facts), requiring({ runtime: { ...runtime, deny: [] } })).flags).toEqual([name]);
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
  const STEP_UP = 'step_up_required';
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

describe('no worsening of the evidence ever turns a refusal into an acceptance', () => {
  const names = fc.uniqueArray(fc.constantFrom<string>(...THREATS, 'x-acme-worm', 'invented'), { maxLength: 8 });
  const policyNames = fc.uniqueArray(fc.constantFrom<ThreatName>(...THREATS, 'x-acme-worm'), { maxLength: 5 });
  const facts: fc.Arbitrary<Required<Facts>> = fc
    .record({
      names,
      split: fc.nat(8),
      age: fc.integer({ min: 0, max: 700 }),
      version: fc.constantFrom('0.9.0', '1.4.0', '2.0.0'),
      appMinimum: fc.constantFrom(null, '1.0.0', '1.5.0'),
      probes: fc.uniqueArray(fc.constantFrom<string>('root', 'debugger', 'vpn'), { maxLength: 3 }),
      assurance: fc.constantFrom(...ASSURANCE_LEVELS),
      expires: fc.constantFrom(-10, 0, 1, 1000),
    })
    .map(({ names, split, ...rest }) => ({ ...rest, found: names.slice(split), clear: names.slice(0, split) }));
  const requirement: fc.Arbitrary<TrustRequirementOptions> = fc.record({
    assurance: fc.constantFrom(...ASSURANCE_LEVELS),
    minVersion: fc.constantFrom(null, '1.0.0', '1.5.0'),
    runtime: fc.record({
      deny: fc.oneof(fc.constant('all' as const), policyNames),
      require: fc.oneof(fc.constant('declared' as const), policyNames),
      maxAge: fc.constantFrom(0, 60, 300, 600),
    }),
  });

  const neverImproves = (worsen: (facts: Required<Facts>, pick: number) => Facts) =>
    fc.assert(
      fc.property(facts, requirement, fc.nat(50), (given, asked, pick) => {
        if (judge(given, asked) !== OK) expect(judge(worsen(given, pick), asked)).not.toBe(OK);
      }),
      { seed: 21, numRuns: 3000 },
    );

  const threatAt = (pick: number) => [...THREATS, 'x-acme-worm', 'invented'][pick % 26] as string;
  const lower = (level: Assurance): Assurance =>
    ASSURANCE_LEVELS[Math.max(0, ASSURANCE_LEVELS.indexOf(level) - 1)] as Assurance;

  it.each<[string, (facts: Required<Facts>, pick: number) => Facts]>([
    [
      'a threat more',
      (given, pick) => ({
        ...given,
        found: [...new Set([...given.found, threatAt(pick)])],
        clear: given.clear.filter((name) => name !== threatAt(pick)),
      }),
    ],
    ['older evidence', (given, pick) => ({ ...given, age: given.age + pick })],
    [
      'a clear probe less',
      (given, pick) => ({
        ...given,
        clear: given.clear.filter((_, i) => i !== pick % Math.max(1, given.clear.length)),
      }),
    ],
    ['lower assurance', (given) => ({ ...given, assurance: lower(given.assurance) })],
    ['an expired attestation', (given) => ({ ...given, expires: -1 })],
    ['an older version', (given) => ({ ...given, version: '0.1.0' })],
    [
      'a probe more that the app declares',
      (given, pick) => ({ ...given, probes: [...new Set([...given.probes, threatAt(pick)])] }),
    ],
  ])('%s', (_what, worsen) => {
    expect.hasAssertions();
    neverImproves(worsen);
  });
});
