import * as asn1js from 'asn1js';
import { fail, type DerNode } from './der.js';

/** Class of tags, as the library numbers them. */
export const CONTEXT_SPECIFIC = 3;
const UINT64_MAX = 2n ** 64n - 1n;

/** The element, which must be of exactly this type. @throws DerError */
export function typed<T extends DerNode>(node: DerNode | undefined, type: new () => T): T {
  return node?.constructor === type ? (node as T) : fail('an element is absent or of another type');
}

/** What a SEQUENCE holds: so many elements. @throws DerError */
export function sequenceOf(node: DerNode | undefined, min: number, max = min): readonly DerNode[] {
  return counted(typed(node, asn1js.Sequence).valueBlock.value, min, max);
}

/** What a SET holds: so many elements. Their order is let be: it says nothing, and not all devices sort. @throws DerError */
export function setOf(node: DerNode | undefined, min: number, max: number): readonly DerNode[] {
  return counted(typed(node, asn1js.Set).valueBlock.value, min, max);
}

function counted(nodes: readonly DerNode[], min: number, max: number): readonly DerNode[] {
  return nodes.length >= min && nodes.length <= max ? nodes : fail('a list has too few or too many elements');
}

/** The one element that an EXPLICIT tag of this number holds. @throws DerError */
export function explicitOf(node: DerNode | undefined, number: number): DerNode {
  const { idBlock, valueBlock } = typed(node, asn1js.Constructed);
  if (idBlock.tagClass !== CONTEXT_SPECIFIC || idBlock.tagNumber !== number)
    fail('an element is not tagged as expected');
  const [element, ...more] = valueBlock.value;
  return element === undefined || more.length > 0 ? fail('a tag does not hold one element') : element;
}

/** Tag, length and content. @throws DerError */
export function encodedOf(node: DerNode | undefined): Buffer {
  return node === undefined ? fail('an element is absent') : bufferOf(node.valueBeforeDecodeView);
}

/** The octets themselves, not a copy. */
export function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** An INTEGER or ENUMERATED as an unsigned number up to 2^64 - 1. @throws DerError */
export function unsignedOf(node: DerNode | undefined, type: new () => asn1js.Integer = asn1js.Integer): bigint {
  const value = typed(node, type).toBigInt();
  return value >= 0n && value <= UINT64_MAX ? value : fail('an INTEGER is negative or too large');
}

/** An INTEGER or ENUMERATED as an unsigned number that JavaScript holds exactly. @throws DerError */
export function smallUnsignedOf(node: DerNode | undefined, type?: new () => asn1js.Integer): number {
  const value = Number(unsignedOf(node, type));
  return Number.isSafeInteger(value) ? value : fail('an INTEGER is too large');
}

/** @throws DerError */
export function octetsOf(node: DerNode | undefined): Buffer {
  return bufferOf(typed(node, asn1js.OctetString).valueBlock.valueHexView);
}

/** A BIT STRING of whole octets. @throws DerError */
export function bitsOf(node: DerNode | undefined): Buffer {
  const { unusedBits, valueHexView } = typed(node, asn1js.BitString).valueBlock;
  return unusedBits === 0 ? bufferOf(valueHexView) : fail('a BIT STRING is not of whole octets');
}
