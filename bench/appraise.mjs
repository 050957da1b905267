// What policy costs a request: finding the handler's requirement, and appraising evidence by it.
import 'reflect-metadata';
import { RequirementResolver } from '../dist/guards/requirement-resolver.js';
import { RequireTrust } from '../dist/decorators/require-trust.js';
import { appraise } from '../dist/trust/appraisal.js';
import { THREATS } from '../dist/trust/threats.js';
import { measure } from './measure.mjs';

const NOW = 1_800_000_000;
const PROBES = ['root', 'hooking', 'debugger', 'tamper', 'emulator', 'automation'];

class Accounts {
  transfer() {}
}
RequireTrust({ minVersion: '1.2.0' })(Accounts);
RequireTrust('transfer', { runtime: { maxAge: 60 } })(
  Accounts.prototype,
  'transfer',
  Object.getOwnPropertyDescriptor(Accounts.prototype, 'transfer'),
);

const resolver = new RequirementResolver(
  { runtime: { flag: ['vpn', 'developer-mode'], monitor: ['overlay'] } },
  { transfer: { challenge: 'single-use', onBreach: 'suspend' } },
);
const ref = { controller: Accounts, handler: Accounts.prototype.transfer };

const input = (found, clear) => ({
  claims: {
    iat: NOW,
    app: { id: 'com.example.bank', ver: '3.4.5' },
    rt: { at: NOW - 10, found, clear, sdk: 'bench/1' },
  },
  app: { minVersion: '1.0.0', probes: PROBES },
  instance: {
    id: 'i',
    platform: 'android',
    assurance: 'tee',
    format: 'android-key',
    attestedAt: NOW - 3600,
    attestationExpiresAt: NOW + 3600,
    attestationClaims: { verifiedBootState: 'VERIFIED' },
    createdAt: NOW - 86_400,
  },
  blockedVersions: [],
  now: NOW,
});

const clean = input([], PROBES);
const flagged = input(['vpn'], PROBES);
const wide = input(
  ['vpn'],
  THREATS.filter((name) => name !== 'vpn'),
);
const blocked = { ...clean, blockedVersions: ['<3.2.0', '3.3.x'] };

/** Under 3 µs is asked of resolving and appraising together. */
export function run() {
  const both = (evidence) => () => appraise(evidence, resolver.resolve(ref));
  const results = measure({
    'resolve the requirement of a handler': () => resolver.isSkipped(ref) || resolver.resolve(ref),
    'resolve and appraise: 6 probes clear': both(clean),
    'resolve and appraise: a flag': both(flagged),
    'resolve and appraise: every name of the protocol': both(wide),
    'resolve and appraise: two blocked version ranges': both(blocked),
  });
  const limit = 3;
  for (const row of Object.values(results)) row['under 3 µs'] = row['µs per call'] < limit ? 'yes' : 'NO';
  return results;
}
