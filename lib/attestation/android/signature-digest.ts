import { TabConfigError } from '../../errors/tab-error.js';

const HEX = /^[0-9a-f]{64}$/;
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;

/**
 * SHA-256 digests of signing certificates as they are found: hex as `apksigner` prints it, hex with colons as `keytool` and
 * the Play Console do, base64 or base64url.
 *
 * @param where names the option in error messages
 * @returns lower-case hex
 * @throws TabConfigError
 */
export function readSignatureDigests(digests: readonly string[], where: string): ReadonlySet<string> {
  if (!Array.isArray(digests) || digests.length === 0)
    throw new TabConfigError(`${where} must list at least one SHA-256 digest of a signing certificate`);
  return new Set(digests.map((digest, index) => readDigest(digest, `${where}[${index}]`)));
}

function readDigest(digest: unknown, where: string): string {
  const text = typeof digest === 'string' ? digest : '';
  const hex = text.replaceAll(':', '').toLowerCase();
  if (HEX.test(hex)) return hex;
  if (BASE64.test(text)) return Buffer.from(text, 'base64').toString('hex');
  throw new TabConfigError(`${where} must be a SHA-256 digest: 64 hex digits (colons allowed) or 43 base64 characters`);
}
