import { Constructed, Enumerated, fromBER, Integer, Null, OctetString, Sequence, Set as AsnSet } from 'asn1js';
import { describe, expect, it } from 'vitest';
import { KEY_DESCRIPTION, parseKeyDescription } from '../../../../lib/attestation/android/key-description.js';
import { parseCertificate } from '../../../../lib/attestation/x509/index.js';
import { derOf, elementOf } from '../x509/der.fixture.js';
import { aChain, checkOf, DIGEST, PACKAGE } from './android.fixture.js';

const LEAF = parseCertificate(Buffer.from(aChain()[0] as string, 'base64'));
const VALUE = Buffer.from(LEAF.extensions.get(KEY_DESCRIPTION)?.value as Uint8Array);
const SOFTWARE = 6;
const HARDWARE = 7;

type Elements = Constructed['valueBlock']['value'];
type Element = Elements[number];
const heldBy = (element: Element | undefined) => (element as Constructed).valueBlock.value;
const tagged = (tagNumber: number, ...value: Elements) =>
  new Constructed({ idBlock: { tagClass: 3, tagNumber }, value });
const octets = (...content: (number | Uint8Array)[]) =>
  new OctetString({
    valueHex: Buffer.concat(content.map((each) => (typeof each === 'number' ? Buffer.of(each) : each))),
  });
const number = (value: number) => new Integer({ value });

/** The description with a change in its elements. Lengths are right again afterwards. */
function changed(change: (elements: Elements) => void): Buffer {
  const root = elementOf(VALUE);
  change(heldBy(root));
  return derOf(root);
}

const read = (change: (elements: Elements) => void) => parseKeyDescription(changed(change));
const verdict = (change: (elements: Elements) => void) => checkOf(() => read(change));

/** A list with this tag in its place, instead of the one that it has. */
function put(list: Element | undefined, element: Constructed): void {
  const held = heldBy(list);
  const others = held.filter(({ idBlock }) => idBlock.tagNumber !== element.idBlock.tagNumber);
  const sorted = [...others, element].sort((left, right) => left.idBlock.tagNumber - right.idBlock.tagNumber);
  held.splice(0, held.length, ...sorted);
}
const withHardware = (element: Constructed) => verdict((elements) => put(elements[HARDWARE], element));
const hardware = (element: Constructed) => read((elements) => put(elements[HARDWARE], element)).hardwareEnforced;

describe('a key description', () => {
  it('is read in full, and the same after it was written again', () => {
    expect(changed(() => undefined)).toEqual(VALUE);
    const { softwareEnforced, hardwareEnforced } = read(() => undefined);
    expect(softwareEnforced.attestationApplicationId).toEqual({
      packages: [{ name: PACKAGE, version: expect.any(Number) as number }],
      signatureDigests: [DIGEST],
    });
    expect(hardwareEnforced).toMatchObject({ purpose: [2, 3], origin: 0, osVersion: 150_000 });
  });

  it.each(Array.from({ length: 8 }, (_, at) => at))('lacks nothing: element %i', (at) => {
    expect(verdict((elements) => void elements.splice(at, 1))).toBe('key-description');
    expect(verdict((elements) => void (elements[at] = new Null()))).toBe('key-description');
  });

  it('has nothing behind, a level that is known, and versions that are numbers', () => {
    expect(verdict((elements) => void elements.push(new Null()))).toBe('key-description');
    for (const at of [1, 3]) {
      expect(verdict((elements) => void (elements[at] = new Enumerated({ value: 3 })))).toBe('key-description');
      expect(verdict((elements) => void (elements[at] = number(1)))).toBe('key-description');
    }
    for (const at of [0, 2]) {
      expect(verdict((elements) => void (elements[at] = number(-1)))).toBe('key-description');
      expect(verdict((elements) => void (elements[at] = new Enumerated({ value: 3 })))).toBe('key-description');
    }
  });

  it.each([
    ['empty', Buffer.alloc(0)],
    ['of 64 KB and more', Buffer.alloc(65_537)],
    ['another type', Buffer.of(0x31, 0)],
    ['with octets behind', Buffer.concat([VALUE, Buffer.of(0)])],
  ])('is refused %s', (_what, value) => expect(checkOf(() => parseKeyDescription(value))).toBe('key-description'));
});

describe('a list', () => {
  it.each<[string, Constructed]>([
    ['a number for a set', tagged(1, number(2))],
    ['a string in a set of numbers', tagged(1, new AsnSet({ value: [octets(2)] }))],
    ['a set of too many', tagged(1, new AsnSet({ value: Array.from({ length: 65 }, () => number(2)) }))],
    ['a string for a number', tagged(3, octets(1))],
    ['an ENUMERATED for a number', tagged(3, new Enumerated({ value: 1 }))],
    ['a negative number', tagged(3, number(-1))],
    ['a number of 2^53', tagged(3, new Integer({ valueHex: Buffer.from('20000000000000', 'hex') }))],
    ['a time of 2^64', tagged(701, new Integer({ valueHex: Buffer.from('010000000000000000', 'hex') }))],
    ['a number for a flag', tagged(503, number(1))],
    ['a number for a string', tagged(724, number(1))],
    ['nothing in a tag', tagged(3)],
    ['two in a tag', tagged(3, number(1), number(1))],
    ['a tag of another class', new Constructed({ idBlock: { tagClass: 2, tagNumber: 725 }, value: [new Null()] })],
    [
      'a tag of another class that is known',
      new Constructed({ idBlock: { tagClass: 4, tagNumber: 3 }, value: [number(1)] }),
    ],
  ])('does not have %s', (_what, element) => expect(withHardware(element)).toBe('key-description'));

  it('has tags that ascend', () => {
    expect(verdict((elements) => void heldBy(elements[HARDWARE]).reverse())).toBe('key-description');
    expect(verdict((elements) => void heldBy(elements[HARDWARE]).push(tagged(1, number(1))))).toBe('key-description');
    const twice = (elements: Elements) => heldBy(elements[HARDWARE]).unshift(heldBy(elements[HARDWARE])[0] as Element);
    expect(verdict((elements) => void twice(elements))).toBe('key-description');
  });

  it('may be empty, and keeps what is not known as it is', () => {
    expect(read((elements) => void heldBy(elements[HARDWARE]).splice(0)).hardwareEnforced).toEqual({
      unknown: new Map(),
    });
    expect([...hardware(tagged(900, new Null(), octets(7))).unknown]).toEqual([
      [900, Buffer.from('0500040107', 'hex')],
    ]);
    expect([...hardware(tagged(9)).unknown]).toEqual([[9, Buffer.alloc(0)]]);
  });

  it('has large numbers as they are', () => {
    const most = Buffer.from('00ffffffffffffffff', 'hex');
    expect(hardware(tagged(502, new Integer({ valueHex: most }))).userSecureId).toBe(2n ** 64n - 1n);
  });
});

describe('a root of trust', () => {
  const KEY = octets(1, 2);
  const root = (...value: Elements) => tagged(704, new Sequence({ value }));
  const yes = fromBER(Buffer.of(1, 1, 0xff)).result;
  const state = (value: number) => new Enumerated({ value });

  it('has a hash in newer versions', () => {
    expect(hardware(root(KEY, yes, state(0), octets(3))).rootOfTrust).toEqual({
      verifiedBootKey: '0102',
      deviceLocked: true,
      verifiedBootState: 'VERIFIED',
      verifiedBootHash: '03',
    });
    const states = [0, 1, 2, 3].map((value) => hardware(root(KEY, yes, state(value))).rootOfTrust?.verifiedBootState);
    expect(states).toEqual(['VERIFIED', 'SELF_SIGNED', 'UNVERIFIED', 'FAILED']);
  });

  it.each<[string, Elements]>([
    ['a state that is not known', [KEY, yes, state(4)]],
    ['a state that is negative', [KEY, yes, state(-1)]],
    ['a state that is an INTEGER', [KEY, yes, number(0)]],
    ['no state', [KEY, yes]],
    ['something behind', [KEY, yes, state(0), KEY, KEY]],
    ['a hash of another type', [KEY, yes, state(0), number(1)]],
    ['a lock of another type', [KEY, number(1), state(0)]],
    ['a lock that is neither 00 nor FF', [KEY, fromBER(Buffer.of(1, 1, 1)).result, state(0)]],
  ])('is refused with %s', (_what, value) => expect(withHardware(root(...value))).toBe('key-description'));
});

describe('an application', () => {
  const text = (value: string) => octets(Buffer.from(value));
  const packageInfo = (...value: Elements) => new Sequence({ value });
  const good = packageInfo(text(PACKAGE), number(7));
  const digest = octets(Buffer.alloc(32, 1));
  const set = (...value: Elements) => new AsnSet({ value });
  const encoded = (...value: Elements) => derOf(new Sequence({ value }));
  const application = (content: Buffer) => (elements: Elements) =>
    put(elements[SOFTWARE], tagged(709, octets(content)));

  it('has packages and digests, many or none', () => {
    const { softwareEnforced } = read(application(encoded(set(good, good), set(digest))));
    expect(softwareEnforced.attestationApplicationId).toEqual({
      packages: [
        { name: PACKAGE, version: 7 },
        { name: PACKAGE, version: 7 },
      ],
      signatureDigests: ['01'.repeat(32)],
    });
    expect(read(application(encoded(set(), set()))).softwareEnforced.attestationApplicationId).toEqual({
      packages: [],
      signatureDigests: [],
    });
  });

  const repeated = (element: Element, count: number) => set(...Array.from({ length: count }, () => element));

  it('has 64 packages and 64 digests at most', () => {
    expect(verdict(application(encoded(repeated(good, 64), repeated(digest, 64))))).toBe('passes');
    expect(verdict(application(encoded(repeated(good, 65), set(digest))))).toBe('key-description');
    expect(verdict(application(encoded(set(good), repeated(digest, 65))))).toBe('key-description');
  });

  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['octets behind', Buffer.concat([encoded(set(good), set(digest)), Buffer.of(0)])],
    ['an element behind', encoded(set(good), set(digest), new Null())],
    ['no digests', encoded(set(good))],
    ['lists for sets', encoded(new Sequence({ value: [good] }), new Sequence({ value: [digest] }))],
    ['a digest of 31 octets', encoded(set(good), set(octets(Buffer.alloc(31))))],
    ['a package without version', encoded(set(packageInfo(text(PACKAGE))), set(digest))],
    ['a package with more', encoded(set(packageInfo(text(PACKAGE), number(7), number(7))), set(digest))],
    ['a name that is not UTF-8', encoded(set(packageInfo(octets(0xff), number(7))), set(digest))],
    ['a name that is too long', encoded(set(packageInfo(text('a'.repeat(257)), number(7))), set(digest))],
    ['an indefinite length', Buffer.from('308031003100 0000'.replaceAll(' ', ''), 'hex')],
  ])('is refused with %s', (_what, content) => expect(verdict(application(content))).toBe('key-description'));
});
