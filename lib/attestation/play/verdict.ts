import { timingSafeEqual } from 'node:crypto';
import { isJsonObject } from '../../token/json.js';
import { AttestationError } from '../attestation-error.js';
import { Members } from '../jose/members.js';
import { DEVICE_INTEGRITY, type PlayIntegrityCheck, type PlayRequirement, type PlayVerdict } from './play.types.js';

/** Seconds that Google's clock may be ahead of ours. */
const TOLERANCE = 15;
const DEFAULT_VERDICT_MAX_AGE = 300;
const VIRTUAL = 'MEETS_VIRTUAL_INTEGRITY';

/** Refuses the verdict. `detail` never quotes it. */
export function reject(check: PlayIntegrityCheck, detail: string): never {
  throw new AttestationError(check, detail);
}

/** What a verdict is held against. */
export interface ExpectedVerdict extends PlayRequirement {
  readonly packageName: string;
  /** What the app passed as `requestHash` or `nonce`: `b64u(binding)`. */
  readonly bound: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

/**
 * Judges a decoded verdict: first that it answers this very request, then what it says.
 *
 * @throws AttestationError with a `PlayIntegrityCheck`
 */
export function appraiseVerdict(payload: unknown, expected: ExpectedVerdict): PlayVerdict {
  if (!isJsonObject(payload)) reject('verdict', 'not an object');
  const verdict = new Members(payload, (detail) => reject('verdict', detail));
  const issuedAt = checkRequest(verdict.object('requestDetails'), expected);
  checkTesting(verdict.object('testingDetails'), expected);
  const device = checkDevice(verdict.object('deviceIntegrity'), expected);
  return {
    ...checkApp(verdict.object('appIntegrity'), expected),
    ...device,
    ...checkLicence(verdict.object('accountDetails'), expected),
    ...readEnvironment(verdict.object('environmentDetails')),
    issuedAt,
  };
}

function checkRequest(details: Members, expected: ExpectedVerdict): number {
  // Ensures that the verdict was asked for by this app.
  if (details.text('requestPackageName') !== expected.packageName) reject('package', 'requested by another package');
  checkBinding(details.optionalText('requestHash'), details.optionalText('nonce'), expected.bound);
  const issuedAt = readInteger(details, 'timestampMillis') / 1000;
  const age = expected.now - issuedAt;
  // Ensures that it was made for this enrolment's time; written so that no age that is not a number passes.
  if (!(age <= (expected.verdictMaxAge ?? DEFAULT_VERDICT_MAX_AGE))) reject('time', 'too old');
  if (!(age >= -TOLERANCE)) reject('time', 'made in the future');
  return Math.floor(issuedAt);
}

/** Ensures that it was made for this challenge and key. Play may pad a nonce, which is base64url of the octets to it. */
function checkBinding(requestHash: string | undefined, nonce: string | undefined, bound: string): void {
  if (requestHash !== undefined && nonce !== undefined) reject('binding', 'both requestHash and nonce are present');
  const value = requestHash ?? nonce?.replace(/=$/, '');
  if (value === undefined) return reject('binding', 'neither requestHash nor nonce is present');
  const [given, wanted] = [Buffer.from(value), Buffer.from(bound)];
  if (given.length === wanted.length && timingSafeEqual(given, wanted)) return;
  reject('binding', 'requestHash or nonce is another');
}

/** A 64-bit integer, which Google writes as a string in some answers and as a number in others. */
function readInteger(members: Members, name: string): number {
  const value = members.value(name);
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
  return reject('verdict', `${name} is not an integer`);
}

function checkTesting(details: Members, { allowTesting = false }: ExpectedVerdict): void {
  // Ensures that Play judged a real device; whatever is not a plain no counts as yes.
  if ((details.value('isTestingResponse') ?? false) !== false && !allowTesting) reject('testing', 'a testing response');
}

type AppVerdict = Pick<PlayVerdict, 'packageName' | 'versionCode' | 'appRecognitionVerdict'>;

function checkApp(app: Members, expected: ExpectedVerdict): AppVerdict {
  const { certificates, allowUnrecognized = false } = expected;
  const appRecognitionVerdict = app.text('appRecognitionVerdict');
  const unrecognized = appRecognitionVerdict === 'UNRECOGNIZED_VERSION' && allowUnrecognized;
  // Ensures that the running app is the one that Play distributed; unevaluated is not recognised.
  if (appRecognitionVerdict !== 'PLAY_RECOGNIZED' && !unrecognized) reject('app', 'Play does not recognise the app');
  const packageName = app.text('packageName');
  // Ensures that the app itself, not only its request, has the name.
  if (packageName !== expected.packageName) reject('package', 'the app is another package');
  const digests = app.optionalTexts('certificateSha256Digest') ?? [];
  // Ensures that the maker signed it: an unrecognised build has nothing else to go by.
  if (certificates !== undefined || unrecognized) checkCertificates(digests, certificates ?? []);
  const versionCode = app.value('versionCode') === undefined ? undefined : String(readInteger(app, 'versionCode'));
  return { packageName, versionCode, appRecognitionVerdict };
}

function checkCertificates(digests: readonly string[], allowed: readonly string[]): void {
  const known = (digest: string) => allowed.includes(digest.replace(/=$/, ''));
  if (digests.length === 0 || !digests.every(known)) reject('certificate', 'signed by another certificate');
}

function checkDevice(
  device: Members,
  expected: ExpectedVerdict,
): Pick<PlayVerdict, 'deviceRecognitionVerdict' | 'emulator' | 'sdkVersion'> {
  const { deviceIntegrity = 'MEETS_DEVICE_INTEGRITY', allowVirtual = false } = expected;
  const deviceRecognitionVerdict = device.optionalTexts('deviceRecognitionVerdict') ?? [];
  const emulator = deviceRecognitionVerdict.includes(VIRTUAL);
  const enough: readonly string[] = DEVICE_INTEGRITY.slice(DEVICE_INTEGRITY.indexOf(deviceIntegrity));
  const passes = deviceRecognitionVerdict.some((label) => enough.includes(label));
  // Ensures that the device is what the app asks for; no label at all is what a hooked or rooted one gets.
  if (emulator ? !allowVirtual : !passes) reject('device', emulator ? 'an emulator' : `less than ${deviceIntegrity}`);
  const sdkVersion = device.object('deviceAttributes').value('sdkVersion');
  return { deviceRecognitionVerdict, emulator, ...(typeof sdkVersion === 'number' && { sdkVersion }) };
}

function checkLicence(
  account: Members,
  { licensed = false }: ExpectedVerdict,
): Pick<PlayVerdict, 'appLicensingVerdict'> {
  const appLicensingVerdict = account.optionalText('appLicensingVerdict');
  // Ensures that the user has the app from Play, where that matters.
  if (licensed && appLicensingVerdict !== 'LICENSED') reject('licence', 'not licensed');
  return { appLicensingVerdict };
}

function readEnvironment(details: Members): Pick<PlayVerdict, 'playProtectVerdict' | 'appAccessRiskVerdict'> {
  return {
    playProtectVerdict: details.optionalText('playProtectVerdict'),
    appAccessRiskVerdict: details.object('appAccessRiskVerdict').optionalTexts('appsDetected'),
  };
}
