const SEQUENCE = 0x30;
const INTEGER = 0x02;

/** Orders of the base points of P-256 and P-384 (SP 800-186), by field size in octets. */
const ORDERS: ReadonlyMap<number, Uint8Array> = new Map([
  [32, octetsOf('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')],
  [48, octetsOf('ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973')],
]);

/**
 * An ECDSA signature from X9.62 (`SEQUENCE { INTEGER r, INTEGER s }`), which platforms make, to `r ‖ s`, which JWS has
 * (RFC 7518 section 3.4). Only DER is taken (X.690 section 10): one text for one signature.
 * @param size octets of `r` and of `s`: 32 for P-256, 48 for P-384
 * @throws TypeError when it is not DER, or a number is not within 1..n−1
 */
export function derToJose(signature: Uint8Array, size: 32 | 48): Uint8Array {
  // Ensures that the sequence is all there is. Its length fits one octet on both curves.
  if (signature[0] !== SEQUENCE || signature[1] !== signature.length - 2 || signature.length > 2 + 0x7f) fail();
  const r = readInteger(signature, 2);
  const s = readInteger(signature, r.end);
  if (s.end !== signature.length) fail();
  const joined = new Uint8Array(2 * size);
  place(r.value, joined.subarray(0, size));
  place(s.value, joined.subarray(size));
  checkP1363(joined, size);
  return joined;
}

/** Ensures that a signature `r ‖ s` has its exact length, and both numbers within 1..n−1. @throws TypeError */
export function checkP1363(signature: Uint8Array, size: 32 | 48): void {
  if (signature.length !== 2 * size) fail();
  for (const number of [signature.subarray(0, size), signature.subarray(size)]) {
    if (number.every((octet) => octet === 0) || !isBelow(number, ORDERS.get(size) ?? number)) fail();
  }
}

/** A non-negative INTEGER in its shortest form, without the zero in front that keeps it positive. */
function readInteger(der: Uint8Array, start: number): { value: Uint8Array; end: number } {
  const length = der[start + 1] ?? 0;
  const end = start + 2 + length;
  if (der[start] !== INTEGER || length === 0 || end > der.length) return fail();
  const [first = 0, second = 0] = der.subarray(start + 2, end);
  // Ensures that it is not negative.
  if (first >= 0x80) fail();
  // Ensures that no zero is in front which the sign does not need.
  if (first === 0 && length > 1 && second < 0x80) fail();
  return { value: der.subarray(start + 2 + (first === 0 ? 1 : 0), end), end };
}

/** Writes a number at the end of its field. */
function place(value: Uint8Array, field: Uint8Array): void {
  if (value.length > field.length) fail();
  field.set(value, field.length - value.length);
}

/** Whether `a` < `b`, both big-endian and of one length. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  const at = a.findIndex((octet, index) => octet !== b[index]);
  return at !== -1 && (a[at] ?? 0) < (b[at] ?? 0);
}

function octetsOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function fail(): never {
  throw new TypeError('Not an ECDSA signature of this curve');
}
