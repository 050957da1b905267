import type { AppInstance } from '../../../lib/bindings/binding.types.js';
import type { TrustRequirementOptions } from '../../../lib/trust/requirement.js';
import { NOW, type Members } from '../../utils/core/index.js';

/*
 * What follows from PROTOCOL sections 3, 5 and 6 for every policy, evidence and binding state, written by hand. The app has
 * the probes `root` and `debugger`, runs on android at version 1.4.0, and lets in 1.2.0 and later.
 */

/** What a cell of the tables stands for. */
export const LEGEND = {
  // Accepted: with nothing to say; with flags; with flags that are only watched for.
  'ok ': { outcome: 'accepted', status: 'active', flagged: false, watched: false },
  flg: { outcome: 'accepted', status: 'active', flagged: true, watched: false },
  mon: { outcome: 'accepted', status: 'active', flagged: true, watched: true },
  // Refused by policy, and nothing else follows.
  den: { outcome: 'insufficient_trust', status: 'active' },
  stp: { outcome: 'step_up_required', status: 'active' },
  // Refused because trust broke: kept as a breach, and answered.
  BRK: { outcome: 'insufficient_trust', status: 'active', action: 'reject' },
  SUS: { outcome: 'insufficient_trust', status: 'suspended', action: 'suspend' },
  END: { outcome: 'insufficient_trust', status: 'revoked', action: 'revoke-instance' },
  // Refused for the state of the instance, before any policy.
  's..': { outcome: 'instance_suspended', status: 'suspended' },
  'r..': { outcome: 'instance_revoked', status: 'revoked' },
} as const;

/** The evidence: `found` and `clear`, and its age in seconds. */
export const EVIDENCE: Readonly<Record<string, { found: string[]; clear: string[]; age: number }>> = {
  clean: { found: [], clear: ['root', 'debugger'], age: 10 },
  vpn: { found: ['vpn'], clear: ['root', 'debugger'], age: 10 },
  mitm: { found: ['mitm'], clear: ['root', 'debugger'], age: 10 },
  unknown: { found: ['invented'], clear: ['root', 'debugger'], age: 10 },
  vendor: { found: ['x-acme-worm'], clear: ['root', 'debugger'], age: 10 },
  'vpn+vendor': { found: ['vpn', 'x-acme-worm'], clear: ['root', 'debugger'], age: 10 },
  'no-debugger': { found: [], clear: ['root'], age: 10 },
  'no-root': { found: [], clear: ['debugger'], age: 10 },
  rooted: { found: ['root'], clear: ['debugger'], age: 10 },
  'aged-200': { found: [], clear: ['root', 'debugger'], age: 200 },
  'aged-301': { found: [], clear: ['root', 'debugger'], age: 301 },
};

interface State {
  readonly instance: Partial<AppInstance>;
  /** The running version; default 1.4.0. */
  readonly version?: string;
  readonly blocked?: string;
}

const attested = (change: Partial<AppInstance> = {}): Partial<AppInstance> => ({
  format: 'android-key',
  assurance: 'tee',
  attestedAt: NOW - 60,
  attestationExpiresAt: NOW + 10_000,
  ...change,
});

/** The binding states. */
export const STATES: Readonly<Record<string, State>> = {
  // Never attested.
  non: { instance: attested({ format: 'none', assurance: 'none' }) },
  // Attested a minute ago: in software, in a TEE.
  att: { instance: attested({ format: 'client-attestation', assurance: 'software' }) },
  tee: { instance: attested() },
  // Attested long ago; expired.
  old: { instance: attested({ attestedAt: NOW - 1000 }) },
  exp: { instance: attested({ attestedAt: NOW - 1000, attestationExpiresAt: NOW }) },
  // The platform attested that the boot was not verified.
  bot: { instance: attested({ attestationClaims: { verifiedBootState: 'UNVERIFIED' } }) },
  sus: { instance: attested({ status: 'suspended' }) },
  rev: { instance: attested({ status: 'revoked' }) },
  // A version that is blocked; one below the minimum of the app.
  blk: { instance: attested(), blocked: '<1.5.0' },
  low: { instance: attested(), version: '1.0.0' },
};

/** The evidence as it goes into a token. */
export const evidenceOf = (name: string): Members => {
  const { age, ...rest } = EVIDENCE[name] as (typeof EVIDENCE)[string];
  return { ...rest, at: NOW - age, sdk: 'tests/1.0.0' };
};

/** The policies, over the default one without a session. */
export const POLICIES: Readonly<Record<string, TrustRequirementOptions>> = {
  strict: {},
  'deny list': { runtime: { deny: ['vpn'] } },
  stepUp: { runtime: { stepUp: ['vpn'] } },
  flag: { runtime: { flag: ['vpn'] } },
  monitor: { runtime: { monitor: ['vpn'] } },
  "unknown: 'flag'": { runtime: { unknown: 'flag' } },
  'require list': { runtime: { require: ['root'] } },
  'require nothing, flag root': { runtime: { require: [], flag: ['root'] } },
  'maxAge 60': { runtime: { maxAge: 60 } },
  'minVersion reached': { minVersion: { android: '1.4.0', ios: '9.0.0' } },
  'minVersion not reached': { minVersion: { android: '1.5.0', ios: '1.0.0' } },
  'assurance tee': { assurance: 'tee' },
  'attestationMaxAge 600': { attestationMaxAge: 600 },
  formats: { formats: ['android-key'] },
  'mode monitor': { mode: 'monitor' },
  'onBreach suspend': { onBreach: 'suspend' },
  'onBreach revoke-instance, flag vpn': { onBreach: 'revoke-instance', runtime: { flag: ['vpn'] } },
};

/** The outcomes: a grid a policy, a row an evidence, a column a binding state. */
export const TABLES: Readonly<Record<string, string>> = {
  strict: `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  BRK s.. r.. den den
  vpn         BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    ok  ok  ok  ok  ok  BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  'deny list': `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  BRK s.. r.. den den
  vpn         BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  mitm        ok  ok  ok  ok  ok  BRK s.. r.. den den
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      den den den den den BRK s.. r.. den den
  aged-200    ok  ok  ok  ok  ok  BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  stepUp: `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  BRK s.. r.. den den
  vpn         stp flg flg stp stp BRK s.. r.. den den
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    ok  ok  ok  ok  ok  BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  flag: `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  BRK s.. r.. den den
  vpn         flg flg flg flg flg BRK s.. r.. den den
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    ok  ok  ok  ok  ok  BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  monitor: `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  BRK s.. r.. den den
  vpn         mon mon mon mon mon BRK s.. r.. den den
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    ok  ok  ok  ok  ok  BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  "unknown: 'flag'": `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  flg s.. r.. den den
  vpn         BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     flg flg flg flg flg flg s.. r.. den den
  vendor      flg flg flg flg flg flg s.. r.. den den
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den den s.. r.. den den
  no-root     den den den den den den s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    ok  ok  ok  ok  ok  flg s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  'require list': `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  BRK s.. r.. den den
  vpn         BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger ok  ok  ok  ok  ok  BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    ok  ok  ok  ok  ok  BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  'require nothing, flag root': `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  BRK s.. r.. den den
  vpn         BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger ok  ok  ok  ok  ok  BRK s.. r.. den den
  no-root     ok  ok  ok  ok  ok  BRK s.. r.. den den
  rooted      flg flg flg flg flg BRK s.. r.. den den
  aged-200    ok  ok  ok  ok  ok  BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  'maxAge 60': `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  BRK s.. r.. den den
  vpn         BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    den den den den den den s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  'minVersion reached': `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  BRK s.. r.. den den
  vpn         BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    ok  ok  ok  ok  ok  BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  'minVersion not reached': `
              non att tee old exp bot sus rev blk low
  clean       den den den den den BRK s.. r.. den den
  vpn         BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    den den den den den BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  'assurance tee': `
              non att tee old exp bot sus rev blk low
  clean       den den ok  ok  stp BRK s.. r.. den den
  vpn         BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    den den ok  ok  stp BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  'attestationMaxAge 600': `
              non att tee old exp bot sus rev blk low
  clean       stp ok  ok  stp stp BRK s.. r.. den den
  vpn         BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    stp ok  ok  stp stp BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  formats: `
              non att tee old exp bot sus rev blk low
  clean       stp stp ok  ok  stp BRK s.. r.. den den
  vpn         BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  mitm        BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  unknown     BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vendor      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  vpn+vendor  BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  no-debugger den den den den den BRK s.. r.. den den
  no-root     den den den den den BRK s.. r.. den den
  rooted      BRK BRK BRK BRK BRK BRK s.. r.. BRK BRK
  aged-200    stp stp ok  ok  stp BRK s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  'mode monitor': `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  den s.. r.. den den
  vpn         den den den den den den s.. r.. den den
  mitm        den den den den den den s.. r.. den den
  unknown     den den den den den den s.. r.. den den
  vendor      den den den den den den s.. r.. den den
  vpn+vendor  den den den den den den s.. r.. den den
  no-debugger den den den den den den s.. r.. den den
  no-root     den den den den den den s.. r.. den den
  rooted      den den den den den den s.. r.. den den
  aged-200    ok  ok  ok  ok  ok  den s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  'onBreach suspend': `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  SUS s.. r.. den den
  vpn         SUS SUS SUS SUS SUS SUS s.. r.. SUS SUS
  mitm        SUS SUS SUS SUS SUS SUS s.. r.. SUS SUS
  unknown     SUS SUS SUS SUS SUS SUS s.. r.. SUS SUS
  vendor      SUS SUS SUS SUS SUS SUS s.. r.. SUS SUS
  vpn+vendor  SUS SUS SUS SUS SUS SUS s.. r.. SUS SUS
  no-debugger den den den den den SUS s.. r.. den den
  no-root     den den den den den SUS s.. r.. den den
  rooted      SUS SUS SUS SUS SUS SUS s.. r.. SUS SUS
  aged-200    ok  ok  ok  ok  ok  SUS s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
  'onBreach revoke-instance, flag vpn': `
              non att tee old exp bot sus rev blk low
  clean       ok  ok  ok  ok  ok  END s.. r.. den den
  vpn         flg flg flg flg flg END s.. r.. den den
  mitm        END END END END END END s.. r.. END END
  unknown     END END END END END END s.. r.. END END
  vendor      END END END END END END s.. r.. END END
  vpn+vendor  END END END END END END s.. r.. END END
  no-debugger den den den den den END s.. r.. den den
  no-root     den den den den den END s.. r.. den den
  rooted      END END END END END END s.. r.. END END
  aged-200    ok  ok  ok  ok  ok  END s.. r.. den den
  aged-301    den den den den den den s.. r.. den den
`,
};
