import { isJsonObject } from '../../token/json.js';
import type { AttestationInput, AttestationResult, Attester, FinishAttestation } from '../attester.js';
import { present } from '../jose/members.js';
import { OptionChecks } from '../jose/option-checks.js';
import { callLoader, serviceUnavailable } from '../jose/post-json.js';
import { examineClassicToken, importClassicKeys, openClassicToken, type ClassicKeys } from './classic-token.js';
import { DEVICE_INTEGRITY, type PlayDecoder, type PlayIntegrityOptions, type PlayVerdict } from './play.types.js';
import { appraiseVerdict, reject } from './verdict.js';
import { tokenText } from './verify-play-integrity.js';

const FORMAT = 'play-integrity';
const SERVICE = 'Play Integrity';
/** SHA-256 in base64url. */
const DIGEST = /^[\w-]{43}$/;

/** How tokens become verdicts. */
interface Opener {
  /** Every check that needs neither network nor key. */
  examine(token: string): void;
  open(packageName: string, token: string): Promise<unknown>;
}

interface Settings {
  readonly options: PlayIntegrityOptions;
  readonly opener: Opener;
  readonly maxAge: number;
}

/**
 * Accepts Play Integrity verdicts about the app and its device, made for this enrolment: `requestHash` (standard API) or
 * `nonce` (classic) is `b64u(binding)`, which covers challenge and key. The key itself is not attested: `software`.
 *
 * `examine` throws AttestationError with a `PlayIntegrityCheck`. What it returns throws that too, or TabError
 * `store_unavailable` when Google cannot be asked.
 *
 * @throws TabConfigError when the options cannot work
 */
export function playIntegrity(options: PlayIntegrityOptions): Attester {
  const settings = resolveSettings(options);
  return { format: FORMAT, reach: 'software', examine: (input) => examine(settings, input) };
}

function resolveSettings(options: PlayIntegrityOptions): Settings {
  const checks = new OptionChecks('playIntegrity');
  checks.object(options, '{ decode: googleDecoder({ accessToken }) }');
  checks.optionalText(options.packageName, 'packageName', 'com.example.bank');
  checks.flag(options.allowVirtual, 'allowVirtual');
  checks.flag(options.licensed, 'licensed');
  checks.flag(options.allowTesting, 'allowTesting');
  if (options.deviceIntegrity !== undefined && !DEVICE_INTEGRITY.includes(options.deviceIntegrity))
    checks.fail(`deviceIntegrity must be one of ${DEVICE_INTEGRITY.join(', ')}`);
  if (options.verdictMaxAge !== undefined) checks.seconds(options.verdictMaxAge, 'verdictMaxAge', 0);
  checkCertificates(options, checks);
  return { options, opener: openerOf(options, checks), maxAge: checks.maxAge(options.maxAge) };
}

function checkCertificates({ certificates, allowUnrecognized }: PlayIntegrityOptions, checks: OptionChecks): void {
  const listed =
    Array.isArray(certificates) && certificates.length > 0 && certificates.every((each) => DIGEST.test(each));
  if (certificates !== undefined && !listed)
    checks.fail('certificates must list SHA-256 digests in base64url, 43 characters each');
  if (checks.flag(allowUnrecognized, 'allowUnrecognized') && certificates === undefined)
    checks.fail('allowUnrecognized needs certificates, the digests of those that sign such builds');
}

function openerOf({ decode, classic }: PlayIntegrityOptions, checks: OptionChecks): Opener {
  checks.optionalFunction(decode, 'decode');
  if ((decode === undefined) === (classic === undefined))
    checks.fail(
      'give either decode, such as googleDecoder({ accessToken }), or classic with the keys of the Play Console',
    );
  if (classic !== undefined) return classicOpener(importClassicKeys(classic, checks));
  return googleOpener(decode as PlayDecoder);
}

function classicOpener(keys: ClassicKeys): Opener {
  return { examine: examineClassicToken, open: (_packageName, token) => openClassicToken(token, keys) };
}

function googleOpener(decode: PlayDecoder): Opener {
  return {
    examine: () => undefined,
    open: async (packageName, token) => {
      const payload: unknown = await callLoader(SERVICE, () => decode(packageName, token));
      // A decoder that returns anything else has not decoded: not the client's fault.
      if (!isJsonObject(payload)) throw serviceUnavailable(SERVICE, new Error('the decoder gave no verdict'));
      return payload;
    },
  };
}

function examine({ options, opener, maxAge }: Settings, input: AttestationInput): FinishAttestation {
  const { statement, app, binding, now } = input;
  if (!isJsonObject(statement) || !Object.hasOwn(statement, 'token')) reject('statement', 'not an object with token');
  const token = tokenText(statement['token']);
  opener.examine(token);
  const packageName = options.packageName ?? app.id;
  const bound = Buffer.from(binding).toString('base64url');
  return async () => {
    const payload = await opener.open(packageName, token);
    return resultOf(appraiseVerdict(payload, { ...options, packageName, bound, now }), app.id, now + maxAge);
  };
}

function resultOf({ emulator, issuedAt, ...verdict }: PlayVerdict, id: string, expiresAt: number): AttestationResult {
  // What appraisal holds the client's own evidence against.
  const device = emulator ? { emulator, securityLevel: 'software' } : {};
  const claims = present({ ...verdict, ...device, iat: issuedAt });
  return { format: FORMAT, assurance: 'software', keyBound: true, app: { id }, claims, expiresAt };
}
