// ECDSA signatures in DER, as platforms make them, and as JWS has them.
import { b64u, field, ORDER, signBy } from './crypto.mjs';

function integer(value) {
  const octets = value.toString(16);
  const even = Buffer.from(octets.padStart(octets.length + (octets.length % 2), '0'), 'hex');
  const content = even[0] >= 0x80 ? Buffer.concat([Buffer.alloc(1), even]) : even;
  return Buffer.concat([Buffer.of(0x02, content.length), content]);
}

function der(r, s) {
  const content = Buffer.concat([integer(r), integer(s)]);
  return Buffer.concat([Buffer.of(0x30, content.length), content]);
}

const number = (octets) => BigInt(`0x${octets.toString('hex')}`);
const anExample = (name, r, s, more = {}) => ({
  name,
  ...more,
  derBase64: der(r, s).toString('base64'),
  p1363Base64url: b64u(Buffer.concat([field(r), field(s)])),
});

/** Real signatures, until every shape that DER gives them has occurred: both numbers long, one padded, one short. */
function realOnes() {
  const shapes = new Map();
  for (let turn = 0; shapes.size < 5; turn += 1) {
    const inputUtf8 = `message ${turn}`;
    const signature = signBy('instance', inputUtf8);
    const [r, s] = [number(signature.subarray(0, 32)), number(signature.subarray(32))];
    const length = (value) => integer(value).length - 2;
    const shape = `r of ${length(r)} octets, s of ${length(s)}`;
    if (!shapes.has(shape)) shapes.set(shape, anExample(`ES256, ${shape}`, r, s, { key: 'instance', inputUtf8 }));
  }
  return [...shapes.values()];
}

const hex = (name, text) => ({ name, derBase64: Buffer.from(text.replaceAll(' ', ''), 'hex').toString('base64') });

export function signatures() {
  return {
    convert: [
      ...realOnes(),
      anExample('the smallest numbers', 1n, 1n),
      anExample('the largest numbers', ORDER - 1n, ORDER - 1n),
      anExample('a number with its top bit set', 0x80n, 0x7fn),
      anExample('numbers much shorter than their fields', 0xffffn, 0x010000n),
    ],
    refuse: [
      { name: 'r is zero', derBase64: der(0n, 1n).toString('base64') },
      { name: 's is zero', derBase64: der(1n, 0n).toString('base64') },
      { name: 'r is the order', derBase64: der(ORDER, 1n).toString('base64') },
      { name: 's is beyond the order', derBase64: der(1n, ORDER + 1n).toString('base64') },
      hex('a long form of length', '30 81 06 02 01 01 02 01 01'),
      hex('an indefinite length', '30 80 02 01 01 02 01 01 00 00'),
      hex('octets after the sequence', '30 06 02 01 01 02 01 01 00'),
      hex('octets after s within the sequence', '30 08 02 01 01 02 01 01 05 00'),
      hex('cut off', '30 06 02 01 01 02 01'),
      hex('one number only', '30 03 02 01 01'),
      hex('three numbers', '30 09 02 01 01 02 01 01 02 01 01'),
      hex('an empty number', '30 05 02 00 02 01 01'),
      hex('a negative number', '30 06 02 01 81 02 01 01'),
      hex('a zero in front that is not needed', '30 07 02 02 00 01 02 01 01'),
      hex('a number longer than its field', `30 26 02 21 7f ${'11'.repeat(32)} 02 01 01`),
      hex('no sequence', '31 06 02 01 01 02 01 01'),
    ],
  };
}
