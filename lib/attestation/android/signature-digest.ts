import { TabConfigError } from '../../errors/tab-error.js';

const HEX = /^[0-9a-f]{64}$/;
const DIGEST_OCTETS = 32;
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;

/**
 * SHA-256 digests of signing certificates as they are found: hex as `apksigner` prints it, hex with colons as `keytool` and
 * the Play Console do, base64 or base64url; or the 32 octets themselves.
 *
 * @param where names the option in error messages
 * @returns lower-case hex
 * @throws TabConfigError
 */
export function readSignatureDigests(digests: readonly (Uint8Array | string)[], where: string): ReadonlySet<string> {
  if (!Array.isArray(digests) || digests.length === 0)
    throw new TabConfigError(`${where} must list at least one SHA-256 digest of a signing certificate`);
  return new Set(digests.map((digest, index) => readDigest(digest, `${where}[${index}]`)));
}

function readDigest(digest: unknown, where: string): string {
  if (digest instanceof Uint8Array && digest.length === DIGEST_OCTETS) return Buffer.from(digest).toString('hex');
  const text = typeof digest === 'string' ? digest : '';
  const hex = text.replaceAll(':', '').toLowerCase();
  if (HEX.test(hex)) return hex;
  if (BASE64.test(text)) return Buffer.from(text, 'base64').toString('hex');
  throw new TabConfigError(
    `${where} must be a SHA-256 digest: 64 hex digits (colons allowed), 43 base64 characters or ${DIGEST_OCTETS} octets`,
  );
}
