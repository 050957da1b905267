const SEQUENCE = 0x30;
const INTEGER = 0x02;

/** Writes one unsigned big-endian integer as a DER INTEGER: shortest form, a zero in front where the top bit is set. */
function writeInteger(target: Buffer, offset: number, value: Uint8Array): number {
  let start = 0;
  while (start < value.length - 1 && value[start] === 0) start += 1;
  const padded = (value[start] as number) >= 0x80 ? 1 : 0;
  const length = value.length - start;
  target[offset] = INTEGER;
  target[offset + 1] = length + padded;
  target[offset + 2] = 0;
  target.set(value.subarray(start), offset + 2 + padded);
  return offset + 2 + padded + length;
}

/**
 * Turns an ECDSA signature `r ‖ s` (IEEE P1363, RFC 7518 section 3.4) into the DER SEQUENCE that OpenSSL takes; doing it
 * here is cheaper than the `ieee-p1363` encoding of `crypto.verify`. Fields of up to 48 octets, so that every length
 * fits one octet. It judges nothing: a zero or too large `r` or `s` is refused by OpenSSL's verification.
 */
export function p1363ToDer(signature: Uint8Array): Buffer {
  const half = signature.length / 2;
  const der = Buffer.allocUnsafe(signature.length + 8);
  const afterR = writeInteger(der, 2, signature.subarray(0, half));
  const end = writeInteger(der, afterR, signature.subarray(half));
  der[0] = SEQUENCE;
  der[1] = end - 2;
  return der.subarray(0, end);
}
