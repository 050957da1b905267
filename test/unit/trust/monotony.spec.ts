import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TokenProof } from '../../../lib/token/proof-key-id.js';
import { applyRules, type AppraisalRule } from '../../../lib/trust/appraisal-rule.js';
import { ASSURANCE_LEVELS, type Assurance } from '../../../lib/trust/assurance.js';
import { CONTRADICTION } from '../../../lib/trust/contradiction.js';
import type { TrustRequirementOptions } from '../../../lib/trust/requirement.js';
import { THREATS, type ThreatName } from '../../../lib/trust/threats.js';
import { inputOf, judge, type Facts } from './facts.js';

type Given = Required<Facts>;

const NAMES = [...THREATS, 'x-acme-worm', CONTRADICTION, 'invented'];
const FORMATS = ['none', 'client-attestation', 'android-key'];
/** The names that most of this turns on come up often. */
const name = fc.oneof(fc.constantFrom('root', 'emulator', 'debugger', 'vpn', CONTRADICTION), fc.constantFrom(...NAMES));
const list = fc.uniqueArray(
  name.filter((each): each is ThreatName => each !== 'invented'),
  { maxLength: 4 },
);

const facts: fc.Arbitrary<Given> = fc
  .record({
    names: fc.uniqueArray(name, { maxLength: 8 }),
    split: fc.nat(8),
    age: fc.integer({ min: 0, max: 700 }),
    version: fc.constantFrom('0.9.0', '1.4.0', '2.0.0'),
    appMinimum: fc.constantFrom(null, null, '1.0.0', '1.5.0'),
    probes: fc.uniqueArray(fc.constantFrom<string>('root', 'debugger', 'vpn'), { maxLength: 2 }),
    platform: fc.constantFrom('android', 'ios'),
    assurance: fc.constantFrom(...ASSURANCE_LEVELS),
    format: fc.constantFrom(...FORMATS),
    expires: fc.constantFrom(-10, 0, 1, 1000),
    attestedAgo: fc.constantFrom(0, 60, 300, 301, 5000),
    createdAgo: fc.constantFrom(0, 100, 5000),
    attested: fc.record(
      {
        verifiedBootState: fc.constantFrom<unknown>('VERIFIED', 'SELF_SIGNED', 'UNVERIFIED', 7),
        securityLevel: fc.constantFrom('software', 'tee'),
        emulator: fc.boolean(),
        appVersion: fc.constantFrom('1.4.0', '2.0.0'),
      },
      { requiredKeys: [] },
    ),
    blocked: fc.uniqueArray(fc.constantFrom('<1.0.0', '1.4.x', 'bad range'), { maxLength: 1 }),
    proof: fc.constantFrom<TokenProof>('signature', 'mac'),
  })
  .map(({ names, split, ...rest }) => ({ ...rest, found: names.slice(split), clear: names.slice(0, split) }));

const requirement: fc.Arbitrary<TrustRequirementOptions> = fc.record({
  assurance: fc.constantFrom('none', 'none', ...ASSURANCE_LEVELS),
  attestationMaxAge: fc.constantFrom(null, null, 60, 300),
  formats: fc.oneof(fc.constant('any' as const), fc.uniqueArray(fc.constantFrom(...FORMATS), { minLength: 1 })),
  minVersion: fc.constantFrom(null, null, '1.0.0', '1.5.0', { android: '1.5.0' }, { ios: '1.0.0' }),
  mode: fc.constantFrom('enforce', 'monitor'),
  proof: fc.constantFrom('any', 'any', 'signature'),
  onBreach: fc.constantFrom('reject', 'revoke-session', 'suspend', 'revoke-instance'),
  runtime: fc.record({
    deny: fc.oneof(fc.constant('all' as const), list),
    stepUp: list,
    flag: list,
    monitor: list,
    unknown: fc.constantFrom('deny', 'flag'),
    stepUpMaxAge: fc.constantFrom(0, 60, 300),
    require: fc.oneof(fc.constant('declared' as const), list, fc.constant([])),
    maxAge: fc.constantFrom(0, 60, 300, 600),
  }),
});

const lower = (level: Assurance): Assurance =>
  ASSURANCE_LEVELS[Math.max(0, ASSURANCE_LEVELS.indexOf(level) - 1)] as Assurance;
const without = <T>(all: readonly T[], at: number): T[] => all.filter((_, i) => i !== at % Math.max(1, all.length));

/** What makes evidence, or the instance behind it, worse. */
const WORSE: readonly [string, (given: Given, pick: number) => Given][] = [
  [
    'a threat more, which is then not clear',
    (given, pick) => {
      const threat = NAMES[pick % NAMES.length] as string;
      return {
        ...given,
        found: [...new Set([...given.found, threat])],
        clear: given.clear.filter((each) => each !== threat),
      };
    },
  ],
  ['older evidence', (given, pick) => ({ ...given, age: given.age + pick })],
  ['a clear probe less', (given, pick) => ({ ...given, clear: without(given.clear, pick) })],
  ['no clear probe', (given) => ({ ...given, clear: [] })],
  ['lower assurance', (given) => ({ ...given, assurance: lower(given.assurance) })],
  ['an expired attestation', (given) => ({ ...given, expires: -1 })],
  ['an older attestation', (given, pick) => ({ ...given, attestedAgo: given.attestedAgo + 10 * pick })],
  [
    'a boot that is not verified',
    (given) => ({ ...given, attested: { ...given.attested, verifiedBootState: 'FAILED' } }),
  ],
  [
    'a probe more that the app declares',
    (given, pick) => ({ ...given, probes: [...new Set([...given.probes, NAMES[pick % NAMES.length] as string])] }),
  ],
  ['a proof key in place of a signature', (given) => ({ ...given, proof: 'mac' })],
  ['one more blocked version', (given) => ({ ...given, blocked: [...given.blocked, '1.x'] })],
];

/** Half the cases are nearly clean, so that many are refused for one reason only. */
const nearlyClean = facts.map((given) => ({
  ...given,
  found: given.found.slice(0, 1),
  age: given.age % 70,
  version: '1.4.0',
  appMinimum: null,
  expires: 1000,
  blocked: [],
}));
const lenient = requirement.map((asked) => ({
  ...asked,
  assurance: 'none' as const,
  minVersion: null,
  attestationMaxAge: null,
  formats: 'any' as const,
  runtime: { ...asked.runtime, require: [], maxAge: 300 },
}));

describe('nothing that gets worse turns a refusal into an acceptance', () => {
  it.each(WORSE)('%s', (_what, worsen) => {
    const seen = { refused: 0, accepted: 0 };
    const property = (given: Given, asked: TrustRequirementOptions, pick: number) => {
      if (judge(given, asked) === 'accepted') {
        seen.accepted += 1;
        return;
      }
      seen.refused += 1;
      expect(judge(worsen(given, pick), asked)).not.toBe('accepted');
    };
    fc.assert(fc.property(facts, requirement, fc.nat(60), property), { seed: 21, numRuns: 2000 });
    fc.assert(fc.property(nearlyClean, lenient, fc.nat(60), property), { seed: 22, numRuns: 2000 });
    // The cases are worth something only while both outcomes come up often.
    expect(Math.min(seen.refused, seen.accepted)).toBeGreaterThan(300);
  });

  it('an older version, where it is versions in order that count: none attested, no range blocked', () => {
    const property = (given: Given, asked: TrustRequirementOptions) => {
      const ordered = { ...given, blocked: [], attested: { ...given.attested, appVersion: undefined } };
      fc.pre(judge(ordered, asked) !== 'accepted');
      expect(judge({ ...ordered, version: '0.1.0' }, asked)).not.toBe('accepted');
    };
    fc.assert(fc.property(facts, requirement, property), { seed: 25, numRuns: 1000 });
  });

  it('any number of them together', () => {
    const worsening = fc.array(fc.tuple(fc.nat(WORSE.length - 1), fc.nat(60)), { minLength: 1, maxLength: 6 });
    const property = (given: Given, asked: TrustRequirementOptions, steps: [number, number][]) => {
      fc.pre(judge(given, asked) !== 'accepted');
      const worst = steps.reduce((each, [which, pick]) => WORSE[which]?.[1](each, pick) ?? each, given);
      expect(judge(worst, asked)).not.toBe('accepted');
    };
    fc.assert(fc.property(nearlyClean, lenient, worsening, property), { seed: 23, numRuns: 2000 });
  });

  it('nor do rules that are added to a policy', async () => {
    const rules: readonly AppraisalRule[] = [
      () => 'pass',
      () => ({ flag: 'x' }),
      () => ({ deny: 'x' }),
      () => ({ stepUp: 'x' }),
    ];
    const { claims, instance, now, proof } = inputOf({});
    const app = { id: claims.app.id, version: claims.app.ver };
    const context = { app, instance, proof, subject: undefined, method: 'GET', path: '/', now };
    const outcome = (list: readonly AppraisalRule[]) =>
      applyRules(list, claims.rt, context).then(
        () => 'accepted',
        () => 'refused',
      );
    const several = fc.array(fc.constantFrom(...rules), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(several, fc.constantFrom(...rules), fc.nat(4), async (list, more, at) => {
        if ((await outcome(list)) === 'refused') expect(await outcome(list.toSpliced(at, 0, more))).toBe('refused');
        else expect(list.every((rule) => rules.indexOf(rule) < 2)).toBe(true);
      }),
      { seed: 24, numRuns: 500 },
    );
  });
});
