import { isJsonObject } from '../../token/json.js';
import type {
  AttestationClaim,
  AttestationInput,
  AttestationResult,
  Attester,
  FinishAttestation,
} from '../attester.js';
import type { JwksSource } from '../jose/jwks-source.js';
import { present } from '../jose/members.js';
import { OptionChecks } from '../jose/option-checks.js';
import { callLoader, serviceUnavailable } from '../jose/post-json.js';
import type { FirebaseAppCheckOptions, FirebaseAppCheckVerdict, FirebaseConsumer } from './firebase.types.js';
import { examineToken, expectedProject, reject, verifyToken, type ExpectedProject } from './verify-app-check.js';

const FORMAT = 'firebase-app-check';
const SERVICE = 'Firebase App Check';
/** Firebase asks not to fetch them more often than every 6 hours. */
const PUBLISHED_KEYS = { uri: 'https://firebaseappcheck.googleapis.com/v1/jwks', cacheMaxAge: 21_600 };

interface Settings {
  readonly expected: ExpectedProject;
  readonly keys: JwksSource;
  readonly consume?: FirebaseConsumer;
  readonly maxAge: number;
}

/**
 * Accepts Firebase App Check tokens. They are bearer tokens: nothing in them names the instance key or the challenge, so
 * `keyBound` is false and only `consume` makes them worth more than `none`.
 *
 * `examine` throws AttestationError with a `FirebaseAppCheckCheck`. What it returns throws that too, or TabError
 * `store_unavailable` when Firebase's keys or Firebase itself cannot be asked.
 *
 * @throws TabConfigError when the options cannot work
 */
export function firebaseAppCheck(options: FirebaseAppCheckOptions): Attester {
  const settings = resolveSettings(options);
  const reach = settings.consume === undefined ? 'none' : 'software';
  return { format: FORMAT, reach, examine: (input) => examine(settings, input) };
}

function resolveSettings(options: FirebaseAppCheckOptions): Settings {
  const checks = new OptionChecks('firebaseAppCheck');
  checks.object(options, '{ projectId, projectNumber, appId }');
  checks.text(options.projectId, 'projectId', 'bank-prod');
  checks.flag(options.allowDebug, 'allowDebug');
  checks.optionalFunction(options.consume, 'consume');
  checks.oneOrMore(options.appId, 'appId', '1:1234567890:android:0a1b2c3d4e5f67890');
  if (typeof options.projectNumber !== 'string' || !/^\d{1,20}$/.test(options.projectNumber))
    checks.fail('projectNumber must be the decimal digits that the Firebase console shows, as a string');
  return {
    expected: expectedProject(options),
    keys: checks.keys(options.jwks ?? PUBLISHED_KEYS, 'jwks', options.fetch),
    consume: options.consume,
    maxAge: checks.maxAge(options.maxAge),
  };
}

function examine(settings: Settings, { statement, app, now }: AttestationInput): FinishAttestation {
  const { expected, keys } = settings;
  if (!isJsonObject(statement) || !Object.hasOwn(statement, 'token')) reject('statement', 'not an object with token');
  const unverified = examineToken(statement['token'], expected, now);
  // Ensures that a key that cannot be found later is refused before anything is spent.
  if (keys.excludes(unverified.hint)) reject('issuer-key', 'no key of the issuer fits the header');
  return async () => {
    const verdict = await verifyToken(unverified, keys, expected, now);
    if (settings.consume !== undefined) await spend(settings.consume, unverified.token);
    return resultOf(verdict, settings, app.id, now);
  };
}

/** Ensures that the token was never used before, whoever had it. */
async function spend(consume: FirebaseConsumer, token: string): Promise<void> {
  const answer: unknown = await callLoader(SERVICE, () => consume(token));
  const consumed = isJsonObject(answer) ? answer['alreadyConsumed'] : undefined;
  if (typeof consumed !== 'boolean') throw serviceUnavailable(SERVICE, new Error('alreadyConsumed is not a boolean'));
  if (consumed) reject('consumed', 'the token was used before');
}

function resultOf(verdict: FirebaseAppCheckVerdict, settings: Settings, id: string, now: number): AttestationResult {
  const { appId, provider, jti, issuedAt, expiresAt } = verdict;
  const consumed = settings.consume !== undefined;
  return {
    format: FORMAT,
    assurance: consumed ? 'software' : 'none',
    keyBound: false,
    app: { id },
    claims: present({ appId, provider, jti, iat: issuedAt, exp: expiresAt, consumed }),
    expiresAt: now + settings.maxAge,
    ...(jti !== undefined && { claim: claimOf(settings.expected, jti, expiresAt) }),
  };
}

/** Names the token for our own store: spent here as well, whatever Firebase says. */
function claimOf({ issuer }: ExpectedProject, id: string, expiresAt: number): AttestationClaim {
  return { issuer, id, expiresAt };
}
