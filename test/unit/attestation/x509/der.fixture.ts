import { Constructed, fromBER, type BaseBlock } from 'asn1js';

/** An element to change, as the library reads it. What is inside of strings stays octets. */
export function elementOf(der: Uint8Array): Constructed {
  return fromBER(der, { parseEmbedded: false }).result as Constructed;
}

/** What a changed element is in DER: the library would keep a long form of length that is no longer needed. */
export function derOf(element: BaseBlock): Buffer {
  shorten(element);
  return Buffer.from(element.toBER());
}

function shorten(element: BaseBlock): void {
  element.lenBlock.longFormUsed = false;
  if (element instanceof Constructed) element.valueBlock.value.forEach(shorten);
}
