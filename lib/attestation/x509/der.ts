import * as asn1js from 'asn1js';

/** An encoding that is not strict DER, or not the structure that was asked for. Never leaves this folder's callers. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

/** An element as the library reads it. */
export type DerNode = asn1js.BaseBlock;

/** Octets of one encoding; what is longer is not read at all. */
const OCTETS_MAX = 8192;
/** Genuine certificates and descriptions have up to about 100 elements, 6 deep. What is inside of strings stays octets. */
const LIMITS = { maxDepth: 16, maxNodes: 320, parseEmbedded: false } as const;
/** Android's largest is in the hundreds. */
const TAG_NUMBER_MAX = 0xffff;
const OID_MAX_OCTETS = 32;
/** The numbers in an OBJECT IDENTIFIER are below 2^35. */
const OID_NUMBER_MAX_OCTETS = 5;
const UNIVERSAL = 1;

/** @throws DerError */
export function fail(reason: string, cause?: unknown): never {
  throw new DerError(reason, { cause });
}

/**
 * Reads one element and all that it holds. The library takes BER; here a structure has one encoding only (X.690 sections 10
 * and 11): shortest tags, shortest definite lengths, no value in parts, nothing behind.
 *
 * @throws DerError
 */
export function parseDer(octets: Uint8Array): DerNode {
  if (octets.length > OCTETS_MAX) fail('an encoding is too long');
  const { offset, result } = readBer(octets);
  if (offset === -1) fail('not an encoding of limited size and depth');
  if (offset !== octets.length) fail('octets follow the last element');
  checkElement(result);
  return result;
}

function readBer(octets: Uint8Array): asn1js.FromBerResult {
  try {
    return asn1js.fromBER(octets, LIMITS);
  } catch (cause) {
    return fail('a value cannot be read', cause);
  }
}

/** Ensures that an element, and each below it, is in the one form that DER leaves it. The reader has limited the depth. */
function checkElement(node: DerNode): void {
  const { idBlock, lenBlock, valueBeforeDecodeView: encoded } = node;
  if (lenBlock.isIndefiniteForm) fail('a length is indefinite');
  if (idBlock.isHexOnly || idBlock.tagNumber > TAG_NUMBER_MAX) fail('a tag number is too large');
  // Ensures shortest tags and lengths, and that content ends where its holder does: the library lets it run on.
  const shortest = tagOctets(idBlock.tagNumber) + lengthOctets(lenBlock.length) + lenBlock.length;
  if (encoded.length !== shortest) fail('a tag or a length is not in its shortest form, or not that of its content');
  if (idBlock.tagClass === UNIVERSAL) checkUniversal(node, encoded.subarray(encoded.length - lenBlock.length));
  if (node instanceof asn1js.Constructed) node.valueBlock.value.forEach(checkElement);
}

function tagOctets(number: number): number {
  if (number < 0x1f) return 1;
  if (number < 0x80) return 2;
  return number < 0x4000 ? 3 : 4;
}

function lengthOctets(length: number): number {
  if (length < 0x80) return 1;
  return length < 0x100 ? 2 : 3;
}

function checkUniversal(node: DerNode, content: Uint8Array): void {
  const isList = node instanceof asn1js.Sequence || node instanceof asn1js.Set;
  // Ensures that no string is in parts.
  if (node.idBlock.isConstructed !== isList) fail('a value is constructed, or a list is not');
  const inForm = FORMS.get(node.constructor) ?? fail('a value is of a type that is not read here');
  if (!inForm(content, node)) fail('a value is not in its form');
}

type Form = (content: Uint8Array, node: DerNode) => boolean;
const ANY: Form = () => true;

/** The types that are read, and the form of each (X.690 sections 8 and 11). */
const FORMS: ReadonlyMap<unknown, Form> = new Map<unknown, Form>([
  [asn1js.Sequence, ANY],
  [asn1js.Set, ANY],
  [asn1js.Boolean, (content) => content.length === 1 && (content[0] === 0x00 || content[0] === 0xff)],
  [asn1js.Integer, isShortestInteger],
  [asn1js.Enumerated, isShortestInteger],
  [asn1js.BitString, (content) => content.length > 0],
  [asn1js.OctetString, ANY],
  [asn1js.Null, (content) => content.length === 0],
  [asn1js.ObjectIdentifier, isShortIdentifier],
  [asn1js.Utf8String, ANY],
  [asn1js.PrintableString, ANY],
  [asn1js.TeletexString, ANY],
  [asn1js.IA5String, ANY],
  [asn1js.BmpString, ANY],
  [asn1js.UTCTime, isUtcSecond],
  [asn1js.GeneralizedTime, isUtcSecond],
]);

function isShortestInteger([first, second]: Uint8Array): boolean {
  if (first === undefined || second === undefined) return first !== undefined;
  return first !== (second < 0x80 ? 0x00 : 0xff);
}

function isShortIdentifier(content: Uint8Array, node: DerNode): boolean {
  if (!(node instanceof asn1js.ObjectIdentifier) || content.length === 0 || content.length > OID_MAX_OCTETS)
    return false;
  const numbers = node.valueBlock.value;
  return numbers.every(
    ({ blockLength, valueHexView }) =>
      blockLength <= OID_NUMBER_MAX_OCTETS && (blockLength === 1 || valueHexView[0] !== 0),
  );
}

/** The only forms that RFC 5280 section 4.1.2.5 leaves. Written again, so that the 30th of February is no day of March. */
function isUtcSecond(content: Uint8Array, node: DerNode): boolean {
  const time = (node as asn1js.UTCTime).toDate();
  if (Number.isNaN(time.getTime())) return false;
  const digits = time.toISOString().replaceAll(/\D/g, '').slice(0, 14);
  const written = node instanceof asn1js.GeneralizedTime ? digits : digits.slice(2);
  return Buffer.from(content).toString('latin1') === `${written}Z`;
}
