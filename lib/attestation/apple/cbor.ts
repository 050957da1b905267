import { decode } from 'cborg';

/** Deepest nesting of maps, arrays and tags; an attestation object needs 3. */
const MAX_DEPTH = 8;
/** Most items altogether; an attestation object has some 20. What has thousands costs more to decode than to refuse. */
const MAX_ITEMS = 1024;

/** What the low five bits of a head say (RFC 8949 section 3): the argument itself below 24, else its size in octets. */
const ARGUMENT_OCTETS: ReadonlyMap<number, number> = new Map([
  [24, 1],
  [25, 2],
  [26, 4],
  [27, 8],
]);

const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;

interface Head {
  readonly major: number;
  readonly argument: number;
  /** Where its content, or the next item, begins. */
  readonly end: number;
}

function readHead(data: Uint8Array, at: number): Head | undefined {
  const first = data[at];
  if (first === undefined) return undefined;
  const major = first >> 5;
  const info = first & 0x1f;
  if (info < 24) return { major, argument: info, end: at + 1 };
  const octets = ARGUMENT_OCTETS.get(info);
  // 31 is an indefinite length, 28 to 30 are reserved: neither is used here.
  if (octets === undefined || at + 1 + octets > data.length) return undefined;
  let argument = 0;
  for (const octet of data.subarray(at + 1, at + 1 + octets)) argument = argument * 256 + octet;
  return { major, argument, end: at + 1 + octets };
}

/**
 * Where the first item of `data` ends; undefined when it is cut short, of indefinite length, nested too deep or of too many
 * items. Iterative, so that depth cannot exhaust the stack of the decoder that runs after it.
 */
function endOfItem(data: Uint8Array): number | undefined {
  /** How many items each open array, map or tag still wants. */
  const open = [1];
  let at = 0;
  let items = 0;
  for (let wanted = open.pop(); wanted !== undefined; wanted = open.pop()) {
    if (wanted === 0) continue;
    const head = readHead(data, at);
    if (head === undefined) return undefined;
    at = head.end;
    items += 1;
    open.push(wanted - 1);
    if (head.major === BYTES || head.major === TEXT) at += head.argument;
    if (head.major === ARRAY) open.push(head.argument);
    if (head.major === MAP) open.push(2 * head.argument);
    if (head.major === TAG) open.push(1);
    if (at > data.length || items > MAX_ITEMS || open.length > MAX_DEPTH + 1) return undefined;
  }
  return at;
}

/**
 * Decodes the first item of `data`: definite and shortest lengths, no tag, no key twice. Maps become `Map`.
 *
 * @returns the value and the octets that follow it; undefined when it is not such CBOR
 */
export function decodeCborFirst(data: Uint8Array): { readonly value: unknown; readonly rest: Uint8Array } | undefined {
  const end = endOfItem(data);
  if (end === undefined) return undefined;
  try {
    const value: unknown = decode(data.subarray(0, end), {
      strict: true,
      allowIndefinite: false,
      allowUndefined: false,
      useMaps: true,
      rejectDuplicateMapKeys: true,
    });
    return { value, rest: data.subarray(end) };
  } catch {
    return undefined;
  }
}

/** Decodes `data` as exactly one map; undefined when it is anything else or something follows. */
export function decodeCborMap(data: Uint8Array): ReadonlyMap<unknown, unknown> | undefined {
  const first = decodeCborFirst(data);
  return first !== undefined && first.rest.length === 0 && first.value instanceof Map ? first.value : undefined;
}
