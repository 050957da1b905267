import { DerError, DerReader, TAG } from './der.js';

function fail(reason: string): never {
  throw new DerError(reason);
}

/** BOOLEAN content: 00 or FF (X.690 section 11.1). */
export function booleanOf(content: Uint8Array): boolean {
  const [octet] = content;
  if (content.length !== 1 || (octet !== 0x00 && octet !== 0xff)) fail('a BOOLEAN is neither 00 nor FF');
  return octet === 0xff;
}

/** INTEGER or ENUMERATED content in its shortest form, of at most `maxOctets` octets. */
export function integerOctets(content: Uint8Array, maxOctets: number): Uint8Array {
  const [first, second = 0] = content;
  if (first === undefined || content.length > maxOctets) fail('an INTEGER is empty or too long');
  const padded = content.length > 1 && ((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80));
  return padded ? fail('an INTEGER is not in its shortest form') : content;
}

/** INTEGER or ENUMERATED content as an unsigned number up to 2^64 - 1. */
export function unsignedOf(content: Uint8Array): bigint {
  const octets = integerOctets(content, 9);
  if ((octets[0] as number) >= 0x80) fail('an INTEGER is negative');
  return octets.reduce((value, octet) => value * 256n + BigInt(octet), 0n);
}

/** INTEGER or ENUMERATED content as an unsigned number that JavaScript holds exactly. */
export function smallUnsignedOf(content: Uint8Array): number {
  const value = unsignedOf(content);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : fail('an INTEGER is too large');
}

/** OBJECT IDENTIFIER content in dotted form. */
export function oidOf(content: Uint8Array): string {
  if (content.length === 0 || content.length > 32) fail('an OBJECT IDENTIFIER is empty or too long');
  const numbers: number[] = [];
  let number = 0;
  let fresh = true;
  for (const octet of content) {
    if (fresh && octet === 0x80) fail('an OBJECT IDENTIFIER has leading zeros');
    number = number * 128 + (octet & 0x7f);
    if (number > 0xffffffff) fail('an OBJECT IDENTIFIER has a number that is too large');
    fresh = octet < 0x80;
    if (fresh) {
      numbers.push(number);
      number = 0;
    }
  }
  if (!fresh) fail('an OBJECT IDENTIFIER is truncated');
  const [first = 0, ...rest] = numbers;
  const top = Math.min(Math.floor(first / 40), 2);
  return [top, first - 40 * top, ...rest].join('.');
}

/** BIT STRING content that is whole octets. */
export function bitStringOctets(content: Uint8Array): Uint8Array {
  return content[0] === 0 ? content.subarray(1) : fail('a BIT STRING is not of whole octets');
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** A Time in the only forms that RFC 5280 section 4.1.2.5 leaves: to the second, in UTC. */
export function readTime(reader: DerReader): Date {
  const utc = reader.at(TAG.utcTime);
  const text = String.fromCharCode(...reader.read(utc ? TAG.utcTime : TAG.generalizedTime).subarray(0, 16));
  const match = (utc ? UTC_TIME : GENERALIZED_TIME).exec(text);
  if (match === null) fail('a time is not in its form');
  const [year = 0, month = 0, ...rest] = match.slice(1).map(Number);
  // RFC 5280 section 4.1.2.5.1: two digits from 50 on are of the 20th century.
  const fullYear = utc ? year + (year >= 50 ? 1900 : 2000) : year;
  const [day = 0, hour = 0, minute = 0, second = 0] = rest;
  const time = new Date(0);
  time.setUTCFullYear(fullYear, month - 1, day);
  time.setUTCHours(hour, minute, second);
  const same = time.getUTCMonth() === month - 1 && time.getUTCDate() === day && time.getUTCHours() === hour;
  // Ensures that the 30th of February is not read as a day of March.
  return same && time.getUTCMinutes() === minute && time.getUTCSeconds() === second
    ? time
    : fail('a time does not exist');
}
