import { createPublicKey, type KeyObject } from 'node:crypto';
import { compactDecrypt, compactVerify } from 'jose';
import { decodeBase64url } from '../../token/base64url.js';
import { parseJsonObject, type JsonObject } from '../../token/json.js';
import { AttestationError } from '../attestation-error.js';
import type { OptionChecks } from '../jose/option-checks.js';
import type { PlayClassicKeys } from './play.types.js';
import { reject } from './verdict.js';

const AES_KEY_OCTETS = 32;
/** Longest signed part looked at, in octets. */
const JWS_MAX_LENGTH = 16_384;

/** The keys of the Play Console, imported. */
export interface ClassicKeys {
  readonly decryptionKey: Uint8Array;
  readonly verificationKey: KeyObject;
}

/** Imports the keys. @throws TabConfigError that says what to write instead; never with a part of a key */
export function importClassicKeys(keys: PlayClassicKeys, checks: OptionChecks): ClassicKeys {
  checks.object(keys, '{ decryptionKey, verificationKey } for classic');
  const decryptionKey = Buffer.from(String(keys.decryptionKey), 'base64');
  if (typeof keys.decryptionKey !== 'string' || decryptionKey.length !== AES_KEY_OCTETS)
    checks.fail('classic.decryptionKey must be the base64 text of the Play Console, of 32 octets');
  const verificationKey = importVerificationKey(keys.verificationKey);
  if (verificationKey?.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    return checks.fail('classic.verificationKey must be the base64 text of the Play Console, a P-256 public key');
  return { decryptionKey, verificationKey };
}

function importVerificationKey(text: unknown): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(String(text), 'base64'), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

function segmentsOf(token: string, count: number): Buffer[] {
  const segments = token.split('.', count + 1);
  if (segments.length !== count) reject('structure', `not ${count} segments`);
  // One token has one text: no trailing bits that could be changed freely.
  return segments.map((each) => decodeBase64url(each) ?? reject('structure', 'a segment is not canonical base64url'));
}

function headerOf(octets: Buffer | undefined): JsonObject {
  const header = octets && parseJsonObject(octets);
  if (header === undefined) return reject('structure', 'header is not a JSON object');
  // No extension is understood (RFC 7515 section 4.1.11), and nothing small may grow.
  if ('crit' in header || 'b64' in header || 'zip' in header) reject('structure', 'crit, b64 or zip is present');
  return header;
}

/** Ensures the form and the algorithms of the outer token, without any key. @throws AttestationError */
export function examineClassicToken(token: string): void {
  const [header] = segmentsOf(token, 5);
  const { alg, enc } = headerOf(header);
  if (alg !== 'A256KW' || enc !== 'A256GCM') reject('algorithm', 'not A256KW and A256GCM');
}

/**
 * Decrypts and verifies a token of the classic API.
 *
 * @returns the verdict
 * @throws AttestationError `structure`, `algorithm`, `decryption` or `signature`
 */
export async function openClassicToken(token: string, keys: ClassicKeys): Promise<JsonObject> {
  examineClassicToken(token);
  const jws = await decrypt(token, keys.decryptionKey);
  const [header] = segmentsOf(jws, 3);
  if (headerOf(header)['alg'] !== 'ES256') reject('algorithm', 'not ES256');
  const payload = await verify(jws, keys.verificationKey);
  return parseJsonObject(payload) ?? reject('verdict', 'not a JSON object');
}

async function decrypt(token: string, key: Uint8Array): Promise<string> {
  const algorithms = { keyManagementAlgorithms: ['A256KW'], contentEncryptionAlgorithms: ['A256GCM'] };
  const { plaintext } = await compactDecrypt(token, key, algorithms).catch((cause: unknown) => {
    throw new AttestationError('decryption', 'does not decrypt with the key of the app', { cause });
  });
  if (plaintext.length > JWS_MAX_LENGTH) reject('structure', `the signed part is longer than ${JWS_MAX_LENGTH} octets`);
  return Buffer.from(plaintext).toString('latin1');
}

async function verify(jws: string, key: KeyObject): Promise<Uint8Array> {
  const { payload } = await compactVerify(jws, key, { algorithms: ['ES256'] }).catch((cause: unknown) => {
    throw new AttestationError('signature', 'not signed by Play', { cause });
  });
  return payload;
}
