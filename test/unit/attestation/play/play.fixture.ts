import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { CompactEncrypt } from 'jose';
import type { PlayClassicKeys } from '../../../../lib/attestation/play/play.types.js';
import { APP_ID, NOW } from '../client-attestation.fixture.js';
import { segment } from '../token-fuzz.fixture.js';

export const BINDING = createHash('sha256').update('enrolment').digest();
export const BOUND = BINDING.toString('base64url');
export const DIGEST = createHash('sha256').update('certificate').digest('base64url');

const SIGNING = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const AES_KEY = randomBytes(32);

/** The keys as the Play Console shows them. */
export const CLASSIC: PlayClassicKeys = {
  decryptionKey: AES_KEY.toString('base64'),
  verificationKey: SIGNING.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
};

type Part = Record<string, unknown>;

/** A verdict on a good device; each part laid over its own. */
export function verdict(overrides: Record<string, Part> = {}): Record<string, Part> {
  const parts: Record<string, Part> = {
    requestDetails: { requestPackageName: APP_ID, requestHash: BOUND, timestampMillis: `${NOW - 2}250` },
    appIntegrity: {
      appRecognitionVerdict: 'PLAY_RECOGNIZED',
      packageName: APP_ID,
      certificateSha256Digest: [DIGEST],
      versionCode: '42',
    },
    deviceIntegrity: { deviceRecognitionVerdict: ['MEETS_BASIC_INTEGRITY', 'MEETS_DEVICE_INTEGRITY'] },
    accountDetails: { appLicensingVerdict: 'LICENSED' },
    environmentDetails: { playProtectVerdict: 'NO_ISSUES' },
  };
  for (const [name, part] of Object.entries(overrides)) parts[name] = { ...parts[name], ...part };
  return parts;
}

/** A verdict as the classic API gives it. */
export function classicVerdict(overrides: Record<string, Part> = {}): Record<string, Part> {
  const { requestDetails, ...others } = overrides;
  return verdict({ ...others, requestDetails: { requestHash: undefined, nonce: BOUND, ...requestDetails } });
}

export interface Minting {
  readonly payload?: unknown;
  readonly jwsHeader?: object;
  readonly jweHeader?: { alg: string; enc: string };
  readonly signer?: KeyObject;
  readonly aesKey?: Uint8Array;
  /** The signed part, in place of one made from the others. */
  readonly jws?: string;
}

/** The signed part of a classic token. */
export function signVerdict({
  payload = classicVerdict(),
  jwsHeader = { alg: 'ES256' },
  signer,
}: Minting = {}): string {
  const input = `${segment(jwsHeader)}.${segment(payload)}`;
  const key = signer ?? SIGNING.privateKey;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** A token of the classic API. */
export function mintClassic(minting: Minting = {}): Promise<string> {
  const { jweHeader = { alg: 'A256KW', enc: 'A256GCM' }, aesKey = AES_KEY, jws = signVerdict(minting) } = minting;
  return new CompactEncrypt(Buffer.from(jws)).setProtectedHeader(jweHeader).encrypt(aesKey);
}
