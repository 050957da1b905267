import { memoryStores } from '../../../lib/stores/memory/index.js';
import { Challenges } from '../../../lib/token/challenge.js';
import { Origins } from '../../../lib/token/origins.js';
import { readSecret } from '../../../lib/token/secrets.js';
import { SignatureVerifier } from '../../../lib/token/signature.js';
import type { RegisteredApp, VerifierSettings } from '../../../lib/verifier/settings.js';
import { TestClock } from './clock.js';

/** A secret of 32 octets. */
export const SECRET = '0123456789abcdef0123456789abcdef';

/** The app of the tests: two probes, one suspending threat, enrolment without attestation. */
export function anApp(change: Partial<RegisteredApp> = {}): RegisteredApp {
  return {
    id: 'com.example.app',
    platform: 'android',
    minVersion: null,
    probes: ['root', 'debugger'],
    suspendOn: ['hooking'],
    attesters: new Map(),
    allowUnattested: true,
    allowDowngrade: false,
    attestationMaxAge: 30 * 86_400,
    ...change,
  };
}

/** Settings of a verifier over memory stores; the clock is the one given. */
export function someSettings(change: Partial<VerifierSettings> = {}, clock = new TestClock()): VerifierSettings {
  const app = anApp();
  return {
    origins: new Origins(['https://api.example.com']),
    apps: new Map([[app.id, app]]),
    algorithms: new Set(['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256']),
    window: { lifetime: 60, tolerance: 5 },
    challenges: new Challenges([readSecret(SECRET)], 300),
    signatures: new SignatureVerifier('sync'),
    credential: {},
    ...memoryStores({ clock: clock.read }),
    storeTimeout: 2000,
    keyCacheSize: 100,
    clock: clock.read,
    ...change,
  };
}
