import { afterAll, describe, expect, it } from 'vitest';
import { KEY_DESCRIPTION, parseKeyDescription } from '../../../../lib/attestation/android/key-description.js';
import { anchorsOf, verifyWith } from '../../../../lib/attestation/android/verify-android-key.js';
import { parseCertificate } from '../../../../lib/attestation/x509/index.js';
import { aChain, CHALLENGE, checkOf, DIGEST, factory, NOW, PACKAGE, ROOTS } from './android.fixture.js';

/** Inputs per kind: `TAB_FUZZ=full` is 100,000. */
const { TAB_FUZZ } = process.env;
const RUNS = TAB_FUZZ === 'full' ? 100_000 : Number(TAB_FUZZ ?? 2000);
const TIMEOUT = 60_000 + RUNS * 30;
const SEED = 20_260_101;

/** mulberry32: small, seeded, good enough to choose with. */
function chooser(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
type Choose = ReturnType<typeof chooser>;

const octets = (choose: Choose, length: number) => Buffer.from(Array.from({ length }, () => choose(256)));

/** Every element of an encoding, by where it begins and ends, at any depth. Its own reader, so that it shares no fault. */
function elementsOf(der: Buffer, from = 0, to = der.length, found: [number, number][] = []): [number, number][] {
  let offset = from;
  while (offset + 2 <= to) {
    let at = offset + 1;
    if (((der[offset] as number) & 0x1f) === 0x1f) while (at < to && ((der[at++] as number) & 0x80) !== 0);
    let length = der[at++] ?? 0;
    if (length > 0x80) {
      const count = length & 0x7f;
      length = at + count <= to && count < 4 ? der.readUIntBE(at, count) : to;
      at += count;
    }
    if (at + length > to) break;
    found.push([offset, at + length]);
    if (((der[offset] as number) & 0x20) !== 0) elementsOf(der, at, at + length, found);
    offset = at + length;
  }
  return found;
}

const MUTATIONS: readonly ((der: Buffer, choose: Choose) => Buffer)[] = [
  (der, choose) => {
    const changed = Buffer.from(der);
    for (let times = 0; times <= choose(4); times += 1) changed[choose(der.length)] = choose(256);
    return changed;
  },
  (der, choose) => der.subarray(0, choose(der.length)),
  (der, choose) => {
    const at = choose(der.length);
    return Buffer.concat([der.subarray(0, at), octets(choose, 1 + choose(8)), der.subarray(at)]);
  },
  (der, choose) => {
    const [begin, end] = anElement(der, choose);
    return Buffer.concat([der.subarray(0, begin), der.subarray(end)]);
  },
  (der, choose) => {
    const [begin, end] = anElement(der, choose);
    return Buffer.concat([der.subarray(0, end), der.subarray(begin, end), der.subarray(end)]);
  },
  (der, choose) => {
    const [[begin, end], [from, to]] = [anElement(der, choose), anElement(der, choose)];
    return Buffer.concat([der.subarray(0, begin), der.subarray(from, to), der.subarray(end)]);
  },
  (der, choose) => {
    const [begin] = anElement(der, choose);
    const changed = Buffer.from(der);
    if (begin + 1 < changed.length) changed[begin + 1] = [0x00, 0x7f, 0x80, 0x81, 0x84, 0xff][choose(6)] as number;
    return changed;
  },
  (der, choose) => {
    const [begin] = anElement(der, choose);
    const changed = Buffer.from(der);
    changed[begin] = [0x01, 0x02, 0x04, 0x05, 0x0a, 0x30, 0x31, 0xa3, 0xbf][choose(9)] as number;
    return changed;
  },
];

function anElement(der: Buffer, choose: Choose): [number, number] {
  const elements = elementsOf(der);
  return elements.length === 0 ? [0, der.length] : pick(elements, choose);
}

function pick<T>(list: readonly T[], choose: Choose): T {
  return list[choose(list.length)] as T;
}

const CHAINS = [aChain(), aChain({}, factory)].map((chain) => chain.map((text) => Buffer.from(text, 'base64')));

function mutatedChain(choose: Choose): Buffer[] {
  const chain: Buffer[] = [...pick(CHAINS, choose)];
  const at = choose(chain.length);
  const kind = choose(12);
  if (kind === 0) [chain[at], chain[0]] = [chain[0] as Buffer, chain[at] as Buffer];
  else if (kind === 1) chain.splice(at, 0, pick(pick(CHAINS, choose), choose));
  else if (kind === 2) chain.splice(at, 1);
  else if (kind === 3) chain[at] = pick(pick(CHAINS, choose), choose);
  else chain[at] = pick(MUTATIONS, choose)(chain[at] as Buffer, choose);
  return chain;
}

/** Whether it is one of the chains that pass: unchanged, or without the root. */
function isGood(chain: readonly Buffer[]): boolean {
  return CHAINS.some(
    (good) =>
      chain.length >= good.length - 1 &&
      chain.length <= good.length &&
      chain.every((der, index) => der.equals(good[index] as Buffer)),
  );
}

const settings = { packageName: PACKAGE, digests: new Set([DIGEST]), anchors: anchorsOf(ROOTS), policy: {} };
let slowest = 0;

function verdict(x5c: Buffer[]): string {
  const begin = performance.now();
  const check = checkOf(() => verifyWith(settings, { x5c, challenges: [CHALLENGE], now: new Date(NOW) }));
  slowest = Math.max(slowest, performance.now() - begin);
  return check;
}

afterAll(() => {
  if (TAB_FUZZ !== undefined) console.log(`slowest of the chains: ${slowest.toFixed(1)} ms`);
});

describe(`${RUNS} inputs of a kind, seed ${SEED}`, () => {
  it('and the chains pass that they are made from', () => {
    expect(CHAINS.map(verdict)).toEqual(['passes', 'passes']);
  });

  it(
    'random octets are refused',
    () => {
      const choose = chooser(SEED);
      for (let run = 0; run < RUNS; run += 1) {
        const x5c = Array.from({ length: choose(12) }, () => {
          const der = octets(choose, choose(200));
          // Half of them look like the beginning of a certificate.
          if (choose(2) === 0 && der.length > 4) der.set([0x30, der.length - 2 < 128 ? der.length - 2 : 0x81]);
          return der;
        });
        expect(verdict(x5c)).not.toBe('passes');
      }
    },
    TIMEOUT,
  );

  it(
    'changed chains are refused',
    () => {
      const choose = chooser(SEED + 1);
      for (let run = 0; run < RUNS; run += 1) {
        const x5c = mutatedChain(choose);
        if (!isGood(x5c)) expect(verdict(x5c), x5c.map((der) => der.toString('base64')).join('\n')).not.toBe('passes');
      }
    },
    TIMEOUT,
  );

  it(
    'changed descriptions are read or refused, and nothing else',
    () => {
      const choose = chooser(SEED + 2);
      const leaf = parseCertificate(CHAINS[0]?.[0] as Buffer);
      const value = Buffer.from(leaf.extensions.get(KEY_DESCRIPTION)?.value as Uint8Array);
      expect(checkOf(() => parseKeyDescription(value))).toBe('passes');
      for (let run = 0; run < RUNS; run += 1) {
        let changed = value;
        for (let times = 0; times <= choose(2); times += 1)
          if (changed.length > 2) changed = Buffer.from(pick(MUTATIONS, choose)(changed, choose));
        if (changed.length > 0)
          expect(['passes', 'key-description']).toContain(checkOf(() => parseKeyDescription(changed)));
      }
    },
    TIMEOUT,
  );
});
