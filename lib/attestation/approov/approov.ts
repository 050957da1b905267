import { isJsonObject } from '../../token/json.js';
import type { AttestationInput, AttestationResult, Attester, FinishAttestation } from '../attester.js';
import { present } from '../jose/members.js';
import { OptionChecks } from '../jose/option-checks.js';
import type { ApproovOptions, ApproovVerdict } from './approov.types.js';
import { examineToken, reject, signingKeys, type SigningKeys } from './verify-approov.js';

const FORMAT = 'approov';

interface Settings {
  readonly keys: SigningKeys;
  readonly issuer?: string;
  readonly audience?: string;
  readonly maxAge: number;
}

/**
 * Accepts Approov tokens made for this enrolment: the app binds `b64u(binding)`, which covers challenge and key, and the
 * token holds its hash in `pay`. Tokens do not name the app: one account secret for several apps vouches for all of them.
 *
 * `examine` throws AttestationError with an `ApproovCheck`. What it returns throws that too, or TabError
 * `store_unavailable` when published keys cannot be had.
 *
 * @throws TabConfigError when the options cannot work
 */
export function approov(options: ApproovOptions): Attester {
  const settings = resolveSettings(options);
  return { format: FORMAT, reach: 'software', examine: (input) => examine(settings, input) };
}

function resolveSettings(options: ApproovOptions): Settings {
  const checks = new OptionChecks('approov');
  checks.object(options, '{ secrets: [process.env.APPROOV_SECRET] }');
  return {
    keys: signingKeys(options, checks, options.fetch),
    issuer: checks.optionalText(options.issuer, 'issuer', 'api.example.com'),
    audience: checks.optionalText(options.audience, 'audience', 'api.example.com'),
    maxAge: checks.maxAge(options.maxAge),
  };
}

function examine(settings: Settings, { statement, app, binding, now }: AttestationInput): FinishAttestation {
  if (!isJsonObject(statement) || !Object.hasOwn(statement, 'token')) reject('statement', 'not an object with token');
  const { keys, issuer, audience, maxAge } = settings;
  const bound = Buffer.from(binding).toString('base64url');
  const finish = examineToken(statement['token'], keys, { bound, issuer, audience, now });
  return async () => resultOf(await finish(), app.id, now + maxAge);
}

function resultOf(verdict: ApproovVerdict, id: string, expiresAt: number): AttestationResult {
  const { deviceId: did, installKey: ipk, responseCode: arc, annotations: anno, expiresAt: exp } = verdict;
  const claims = present({ did, ipk, arc, anno, exp });
  return { format: FORMAT, assurance: 'software', keyBound: true, app: { id }, claims, expiresAt };
}
