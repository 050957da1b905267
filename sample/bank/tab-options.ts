import type { TabAppOptions, TabOptions } from 'nestjs-tab';
import { clientAttestation } from 'nestjs-tab/attestation';
import { typeOrmDecisions, typeOrmStores } from 'nestjs-tab/typeorm';
import type { AccessTokens } from './auth/access-tokens.js';
import type { BankConfig } from './config.js';
import { phoneApps } from './phones/phone-apps.js';
import { bankPolicies } from './policies.js';

/** The app that may enrol. Its platform is `node`, so that it can be tried without a phone. */
export const BANK_APP = { id: 'com.example.bank', platform: 'node', minVersion: '1.0.0' } as const;

/** The same app, attested. */
export const ATTESTED_APP = { ...BANK_APP, id: 'com.example.bank.attested' } as const;

/** The app in the browser: the page of the attack lab. Nobody attests browsers. */
export const WEB_APP = { ...BANK_APP, id: 'com.example.bank.web', platform: 'web' } as const;

/** The name by which transmitters of security events know the bank. */
export const BANK_AUDIENCE = 'com.example.bank';

/** Every build has these probes, so a token in which one of them did not run is refused. */
const PROBES = ['debugger', 'hooking', 'tamper'] as const;

/** Those of `webDefender`, with a manifest of the page's own files. */
const WEB_PROBES = ['automation', 'debugger', 'hooking', 'overlay', 'tamper', 'time-spoof'] as const;

/** What the bank asks of TAB. */
export function tabOptions(config: BankConfig, tokens: AccessTokens): TabOptions {
  const policies = bankPolicies(config.attesterJwks !== undefined || config.testRoots !== undefined);
  return {
    origins: config.origins,
    apps: apps(config),
    policy: policies.default,
    policies: { ...policies },
    mode: config.mode,
    credential: (token) => tokens.verify(token),
    stores: typeOrmStores({ clock: config.clock }),
    decisions: { store: typeOrmDecisions() },
    ...signals(config),
    secrets: config.tabSecrets,
    // Reading need not wait for a signature each time; where one is needed, the policies say so.
    proofKeys: true,
    limits: { enrolmentsPerMinute: 600 },
    clock: config.clock,
  };
}

function apps({ attesterJwks, testRoots, lab }: BankConfig): TabAppOptions[] {
  // For trying out. A bank on phones lists their attestation formats here instead.
  const apps: TabAppOptions[] = [{ ...BANK_APP, probes: PROBES, allowUnattested: true }];
  if (attesterJwks !== undefined) {
    const attestation = [clientAttestation({ issuers: [{ jwks: attesterJwks }] })];
    // An app that was tampered with once is not believed when it says that it is well again: it has to attest anew.
    apps.push({ ...ATTESTED_APP, probes: PROBES, attestation, suspendOn: ['tamper'] });
  }
  if (testRoots !== undefined) apps.push(...phoneApps(testRoots, PROBES));
  if (lab !== undefined) {
    // A page whose functions were replaced is not believed again either; it can only start over, with a new key and login.
    apps.push({ ...WEB_APP, probes: WEB_PROBES, allowUnattested: true, suspendOn: ['hooking'] });
  }
  return apps;
}

/** Only who is told about transmitters listens to any. */
function signals({ transmitter }: BankConfig): Pick<TabOptions, 'signals'> {
  if (transmitter === undefined) return {};
  return { signals: { receive: { audience: BANK_AUDIENCE, transmitters: [transmitter] } } };
}
