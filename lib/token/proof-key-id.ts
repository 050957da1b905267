import { decodeBase64url } from './base64url.js';

/** What a token was made with: the instance key, or a short-lived proof key that was traded for one of its signatures. */
export type TokenProof = 'signature' | 'mac';

/** The algorithm of every proof key. */
export const PROOF_KEY_ALGORITHM = 'HS256';

/** Characters of the `kid` of a proof key. */
export const PROOF_KEY_ID_LENGTH = 78;

/** The `kid` of a proof key, read and not believed: only a MAC by the key that is derived from it says that it is ours. */
export interface ProofKeyId {
  /** The whole `kid`. */
  readonly text: string;
  readonly instanceId: string;
  /** Names the secret that the key is derived from. */
  readonly secretId: number;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

/*
 * Layout: instance id, 43 characters | "~" | base64url, 34 characters, of
 *   version 1 | secret id 4 | expiry 4 | random 16
 */
const SEPARATOR = '~';
const INSTANCE_ID = { length: 43, octets: 32 } as const;
const OFFSET = { version: 0, secretId: 1, expiresAt: 5, random: 9, end: 25 } as const;
const VERSION = 1;

/** Puts the `kid` of a proof key together. */
export function writeProofKeyId(
  instanceId: string,
  { secretId, expiresAt, random }: { secretId: Buffer; expiresAt: number; random: Buffer },
): string {
  const octets = Buffer.alloc(OFFSET.end);
  octets[OFFSET.version] = VERSION;
  secretId.copy(octets, OFFSET.secretId);
  octets.writeUInt32BE(expiresAt, OFFSET.expiresAt);
  random.copy(octets, OFFSET.random);
  return instanceId + SEPARATOR + octets.toString('base64url');
}

/** Reads a `kid` that has exactly the form of PROTOCOL section 10, canonical throughout; undefined for any other. */
export function readProofKeyId(kid: string): ProofKeyId | undefined {
  if (kid.length !== PROOF_KEY_ID_LENGTH || kid[INSTANCE_ID.length] !== SEPARATOR) return undefined;
  const instanceId = kid.slice(0, INSTANCE_ID.length);
  if (decodeBase64url(instanceId)?.length !== INSTANCE_ID.octets) return undefined;
  const octets = decodeBase64url(kid.slice(INSTANCE_ID.length + 1));
  if (octets?.length !== OFFSET.end || octets[OFFSET.version] !== VERSION) return undefined;
  return {
    text: kid,
    instanceId,
    secretId: octets.readUInt32BE(OFFSET.secretId),
    expiresAt: octets.readUInt32BE(OFFSET.expiresAt),
  };
}
