import { booleanOf, smallUnsignedOf, unsignedOf } from '../x509/der-values.js';
import { DerError, DerReader, isExplicit, readSequence, TAG } from '../x509/der.js';
import type {
  AttestationApplicationId,
  AuthorizationList,
  RootOfTrust,
  VerifiedBootState,
} from './key-description.types.js';

/** Most elements of a set, packages and digests included. */
const SET_MAX = 64;
const NAME_MAX_OCTETS = 256;
const DIGEST_OCTETS = 32;
const BOOT_STATES: readonly VerifiedBootState[] = ['VERIFIED', 'SELF_SIGNED', 'UNVERIFIED', 'FAILED'];
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function fail(reason: string): never {
  throw new DerError(reason);
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}

/** The elements of a SET OF. Their order is let be: it says nothing, and not all devices sort. */
function readSet<T>(reader: DerReader, element: (reader: DerReader) => T): T[] {
  const set = reader.into(TAG.set);
  const elements: T[] = [];
  while (!set.done) {
    elements.push(element(set));
    if (elements.length > SET_MAX) fail('a SET has too many elements');
  }
  return elements;
}

const number = (reader: DerReader) => smallUnsignedOf(reader.read(TAG.integer));
const large = (reader: DerReader) => unsignedOf(reader.read(TAG.integer));
const octets = (reader: DerReader) => reader.read(TAG.octetString);
const numbers = (reader: DerReader) => readSet(reader, number);

function flag(reader: DerReader): true {
  return reader.read(TAG.null).length === 0 || fail('a NULL has content');
}

function text(reader: DerReader): string {
  const name = octets(reader);
  if (name.length > NAME_MAX_OCTETS) fail('a package name is too long');
  try {
    return UTF8.decode(name);
  } catch {
    return fail('a package name is not UTF-8');
  }
}

function digest(reader: DerReader): string {
  const value = octets(reader);
  return value.length === DIGEST_OCTETS ? hex(value) : fail('a signature digest is not of 32 octets');
}

function packageInfo(reader: DerReader): { name: string; version: number } {
  const info = reader.into(TAG.sequence);
  const [name, version] = [text(info), number(info)];
  info.end();
  return { name, version };
}

/** The octets hold a structure of their own, so that hardware which puts them in need not know it. */
function applicationId(reader: DerReader): AttestationApplicationId {
  const id = readSequence(octets(reader));
  const [packages, signatureDigests] = [readSet(id, packageInfo), readSet(id, digest)];
  id.end();
  return { packages, signatureDigests };
}

function rootOfTrust(reader: DerReader): RootOfTrust {
  const root = reader.into(TAG.sequence);
  const verifiedBootKey = hex(octets(root));
  const deviceLocked = booleanOf(root.read(TAG.boolean));
  const state = BOOT_STATES[smallUnsignedOf(root.read(TAG.enumerated))];
  const verifiedBootHash = root.done ? undefined : hex(octets(root));
  root.end();
  return {
    verifiedBootKey,
    deviceLocked,
    verifiedBootState: state ?? fail('the boot state is not known'),
    verifiedBootHash,
  };
}

type Field = Exclude<keyof AuthorizationList, 'unknown'>;

/** Every tag of the schema up to version 400: its field and how its value is read. */
const FIELDS: ReadonlyMap<number, readonly [Field, (reader: DerReader) => unknown]> = new Map<
  number,
  [Field, (reader: DerReader) => unknown]
>([
  [1, ['purpose', numbers]],
  [2, ['algorithm', number]],
  [3, ['keySize', number]],
  [4, ['blockMode', numbers]],
  [5, ['digest', numbers]],
  [6, ['padding', numbers]],
  [7, ['callerNonce', flag]],
  [8, ['minMacLength', number]],
  [10, ['ecCurve', number]],
  [200, ['rsaPublicExponent', large]],
  [203, ['mgfDigest', numbers]],
  [303, ['rollbackResistance', flag]],
  [305, ['earlyBootOnly', flag]],
  [400, ['activeDateTime', large]],
  [401, ['originationExpireDateTime', large]],
  [402, ['usageExpireDateTime', large]],
  [405, ['usageCountLimit', number]],
  [502, ['userSecureId', large]],
  [503, ['noAuthRequired', flag]],
  [504, ['userAuthType', number]],
  [505, ['authTimeout', number]],
  [506, ['allowWhileOnBody', flag]],
  [507, ['trustedUserPresenceRequired', flag]],
  [508, ['trustedConfirmationRequired', flag]],
  [509, ['unlockedDeviceRequired', flag]],
  [600, ['allApplications', flag]],
  [601, ['applicationId', octets]],
  [701, ['creationDateTime', large]],
  [702, ['origin', number]],
  [703, ['rollbackResistant', flag]],
  [704, ['rootOfTrust', rootOfTrust]],
  [705, ['osVersion', number]],
  [706, ['osPatchLevel', number]],
  [709, ['attestationApplicationId', applicationId]],
  [710, ['attestationIdBrand', octets]],
  [711, ['attestationIdDevice', octets]],
  [712, ['attestationIdProduct', octets]],
  [713, ['attestationIdSerial', octets]],
  [714, ['attestationIdImei', octets]],
  [715, ['attestationIdMeid', octets]],
  [716, ['attestationIdManufacturer', octets]],
  [717, ['attestationIdModel', octets]],
  [718, ['vendorPatchLevel', number]],
  [719, ['bootPatchLevel', number]],
  [720, ['deviceUniqueAttestation', flag]],
  [721, ['identityCredentialKey', flag]],
  [723, ['attestationIdSecondImei', octets]],
  [724, ['moduleHash', octets]],
]);

/**
 * Reads an AuthorizationList. Tags ascend, none occurs twice, and what is known is read in full; what is not known is kept.
 *
 * @throws DerError
 */
export function readAuthorizationList(reader: DerReader): AuthorizationList {
  const list = reader.into(TAG.sequence);
  const fields: Partial<Record<Field, unknown>> = {};
  const unknown = new Map<number, Uint8Array>();
  let previous = -1;
  while (!list.done) {
    const tagged = list.next();
    if (!isExplicit(tagged)) fail('an authorization is not tagged');
    // Ensures that no value can be told twice, with the reader to choose.
    if (tagged.number <= previous) fail('the tags of a list do not ascend');
    previous = tagged.number;
    const field = FIELDS.get(tagged.number);
    if (field === undefined) unknown.set(tagged.number, tagged.content);
    else fields[field[0]] = readWhole(tagged.content, field[1]);
  }
  return { ...(fields as Omit<AuthorizationList, 'unknown'>), unknown };
}

function readWhole(content: Uint8Array, read: (reader: DerReader) => unknown): unknown {
  const reader = new DerReader(content);
  const value = read(reader);
  reader.end();
  return value;
}
