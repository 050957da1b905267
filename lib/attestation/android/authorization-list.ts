import { Boolean as AsnBoolean, Constructed, Enumerated, Null } from 'asn1js';
import {
  CONTEXT_SPECIFIC,
  bufferOf,
  explicitOf,
  octetsOf,
  sequenceOf,
  setOf,
  smallUnsignedOf,
  typed,
  unsignedOf,
} from '../x509/der-values.js';
import { fail, parseDer, type DerNode } from '../x509/der.js';
import type {
  AttestationApplicationId,
  AuthorizationList,
  RootOfTrust,
  VerifiedBootState,
} from './key-description.types.js';

/** Most elements of a set, packages and digests included. */
const SET_MAX = 64;
const LIST_MAX = 128;
const NAME_MAX_OCTETS = 256;
const DIGEST_OCTETS = 32;
const BOOT_STATES: readonly VerifiedBootState[] = ['VERIFIED', 'SELF_SIGNED', 'UNVERIFIED', 'FAILED'];
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const number = (node: DerNode | undefined) => smallUnsignedOf(node);
const large = (node: DerNode | undefined) => unsignedOf(node);
const numbers = (node: DerNode) => setOf(node, 0, SET_MAX).map(number);

function hex(node: DerNode | undefined): string {
  return octetsOf(node).toString('hex');
}

function flag(node: DerNode): true {
  typed(node, Null);
  return true;
}

function text(node: DerNode | undefined): string {
  const name = octetsOf(node);
  if (name.length > NAME_MAX_OCTETS) fail('a package name is too long');
  try {
    return UTF8.decode(name);
  } catch {
    return fail('a package name is not UTF-8');
  }
}

function digest(node: DerNode): string {
  return octetsOf(node).length === DIGEST_OCTETS ? hex(node) : fail('a signature digest is not of 32 octets');
}

function packageInfo(node: DerNode): { name: string; version: number } {
  const [name, version] = sequenceOf(node, 2);
  return { name: text(name), version: number(version) };
}

/** The octets hold a structure of their own, so that hardware which puts them in need not know it. */
function applicationId(node: DerNode): AttestationApplicationId {
  const [packages, digests] = sequenceOf(parseDer(octetsOf(node)), 2);
  return {
    packages: setOf(packages, 0, SET_MAX).map(packageInfo),
    signatureDigests: setOf(digests, 0, SET_MAX).map(digest),
  };
}

function rootOfTrust(node: DerNode): RootOfTrust {
  const [key, locked, state, hash] = sequenceOf(node, 3, 4);
  return {
    verifiedBootKey: hex(key),
    deviceLocked: typed(locked, AsnBoolean).getValue(),
    verifiedBootState: BOOT_STATES[smallUnsignedOf(state, Enumerated)] ?? fail('the boot state is not known'),
    verifiedBootHash: hash === undefined ? undefined : hex(hash),
  };
}

type Field = Exclude<keyof AuthorizationList, 'unknown'>;

/** Every tag of the schema up to version 400: its field and how its value is read. */
const FIELDS: ReadonlyMap<number, readonly [Field, (node: DerNode) => unknown]> = new Map<
  number,
  [Field, (node: DerNode) => unknown]
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
  [601, ['applicationId', octetsOf]],
  [701, ['creationDateTime', large]],
  [702, ['origin', number]],
  [703, ['rollbackResistant', flag]],
  [704, ['rootOfTrust', rootOfTrust]],
  [705, ['osVersion', number]],
  [706, ['osPatchLevel', number]],
  [709, ['attestationApplicationId', applicationId]],
  [710, ['attestationIdBrand', octetsOf]],
  [711, ['attestationIdDevice', octetsOf]],
  [712, ['attestationIdProduct', octetsOf]],
  [713, ['attestationIdSerial', octetsOf]],
  [714, ['attestationIdImei', octetsOf]],
  [715, ['attestationIdMeid', octetsOf]],
  [716, ['attestationIdManufacturer', octetsOf]],
  [717, ['attestationIdModel', octetsOf]],
  [718, ['vendorPatchLevel', number]],
  [719, ['bootPatchLevel', number]],
  [720, ['deviceUniqueAttestation', flag]],
  [721, ['identityCredentialKey', flag]],
  [723, ['attestationIdSecondImei', octetsOf]],
  [724, ['moduleHash', octetsOf]],
]);

/**
 * Reads an AuthorizationList. Tags ascend, none occurs twice, and what is known is read in full; what is not known is kept.
 *
 * @throws DerError
 */
export function readAuthorizationList(node: DerNode | undefined): AuthorizationList {
  const fields: Partial<Record<Field, unknown>> = {};
  const unknown = new Map<number, Uint8Array>();
  let previous = -1;
  for (const tagged of sequenceOf(node, 0, LIST_MAX)) {
    const { tagClass, tagNumber } = tagged.idBlock;
    if (tagClass !== CONTEXT_SPECIFIC) fail('an authorization is not tagged');
    // Ensures that no value can be told twice, with the reader to choose.
    if (tagNumber <= previous) fail('the tags of a list do not ascend');
    previous = tagNumber;
    const field = FIELDS.get(tagNumber);
    if (field === undefined)
      unknown.set(tagNumber, bufferOf(typed(tagged, Constructed).valueBlock.valueBeforeDecodeView));
    else fields[field[0]] = field[1](explicitOf(tagged, tagNumber));
  }
  return { ...(fields as Omit<AuthorizationList, 'unknown'>), unknown };
}
