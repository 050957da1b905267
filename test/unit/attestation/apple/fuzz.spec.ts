import { decode, encode } from 'cborg';
import { describe, expect, it } from 'vitest';
import { verifyAppleAssertion } from '../../../../lib/attestation/apple/verify-assertion.js';
import { verifyAppleAttestation } from '../../../../lib/attestation/apple/verify-attestation.js';
import { APP_ID, apple, BINDING, checkOf, deviceWith, NOW } from './apple.fixture.js';

/** TAB_FUZZ=full, or a number of inputs of each kind. */
const FUZZ = process.env['TAB_FUZZ'];
const RUNS = FUZZ === 'full' ? 100_000 : Number(FUZZ ?? 2000);
const REPORT = FUZZ !== undefined;

/** Mulberry32: the same inputs in every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Random = ReturnType<typeof generator>;

function randomOctets(random: Random, max: number): Buffer {
  return Buffer.from(Array.from({ length: random(max) }, () => random(256)));
}

/** One value of CBOR, of any type, wrapped at random. */
function randomValue(random: Random): unknown {
  const values: (() => unknown)[] = [
    () => random(2 ** 31),
    () => -random(1000),
    () => randomOctets(random, 80),
    () => 'x'.repeat(random(40)),
    () => null,
    () => true,
    () => 1.5,
    () => [randomOctets(random, 20), 'x'],
    () => ({ x5c: [], receipt: 1 }),
    () => new Map([[random(5), random(5)]]),
  ];
  return values[random(values.length)]?.();
}

/** A copy of the tree with one node replaced, removed or repeated. */
function mutateTree(random: Random, tree: unknown): unknown {
  if (random(4) === 0) return randomValue(random);
  if (Array.isArray(tree)) {
    const at = random(tree.length + 1);
    const copy: unknown[] = [...(tree as unknown[])];
    copy.splice(at, random(2), mutateTree(random, tree[at]));
    return copy;
  }
  if (tree instanceof Uint8Array) return mutateOctets(random, Buffer.from(tree));
  if (typeof tree !== 'object' || tree === null) return randomValue(random);
  const entries = Object.entries(tree);
  const at = random(entries.length + 1);
  const [name, value] = entries[at] ?? ['extra', 0];
  const { [name]: _removed, ...rest } = Object.fromEntries(entries);
  return random(5) === 0 ? rest : { ...rest, [name]: mutateTree(random, value) };
}

/** A copy with octets changed, cut out, doubled or put in; with a liking for heads of CBOR and DER. */
function mutateOctets(random: Random, octets: Buffer): Buffer {
  const heads = [0x00, 0x1f, 0x30, 0x5b, 0x7f, 0x80, 0x84, 0x9b, 0x9f, 0xa0, 0xbb, 0xbf, 0xc1, 0xdf, 0xf7, 0xff];
  const at = random(octets.length + 1);
  const [before, after] = [octets.subarray(0, at), octets.subarray(at)];
  const edits = [
    () => Buffer.concat([before, Buffer.of(heads[random(heads.length)] ?? 0), after.subarray(1)]),
    () => Buffer.concat([before, Buffer.of(random(256)), after.subarray(1)]),
    () => Buffer.concat([before, after.subarray(1 + random(40))]),
    () => Buffer.concat([before, randomOctets(random, 12), after]),
    () => Buffer.concat([before, before.subarray(-random(60)), after]),
    () => before,
  ];
  return edits[random(edits.length)]?.() ?? octets;
}

/** Milliseconds; the best of several where it took long, so that pauses of the machine are not taken for work. */
function timeOf(run: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10 && best > 2; round += 1) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

type Members = ReadonlyMap<unknown, unknown>;

function membersOf(encoded: Uint8Array): Members {
  return decode(encoded, { useMaps: true }) as Members;
}

interface Target {
  readonly name: string;
  readonly genuine: readonly Buffer[];
  verify(input: Uint8Array): unknown;
  /** What the verdict rests on; equal parts may be accepted however the rest is written. */
  judged(object: Members): unknown;
}

const device = deviceWith();
const newer = deviceWith({ validationCategory: 4, bundleVersion: '1' });

const TARGETS: readonly Target[] = [
  {
    name: 'verifyAppleAttestation',
    genuine: [device.attest(BINDING)],
    verify: (attestationObject) =>
      verifyAppleAttestation({
        attestationObject,
        keyId: device.keyId,
        clientDataHash: BINDING,
        appId: APP_ID,
        environment: 'production',
        roots: [apple.root],
        now: new Date(NOW * 1000),
      }),
    judged: (object) => [object.get('fmt'), object.get('authData'), (object.get('attStmt') as Members).get('x5c')],
  },
  {
    name: 'verifyAppleAssertion',
    genuine: [newer.assert(BINDING)],
    verify: (assertion) =>
      verifyAppleAssertion({
        assertion,
        clientDataHash: BINDING,
        publicKey: newer.publicKey,
        appId: APP_ID,
        previousCounter: 0,
      }),
    judged: (object) => [object.get('signature'), object.get('authenticatorData')],
  },
];

describe.each(TARGETS)(
  '$name under hostile input',
  ({ name, genuine, verify, judged }) => {
    const [valid = Buffer.alloc(0)] = genuine;
    const essence = judged(membersOf(valid));

    function run(make: (random: Random) => Buffer, seed: number): void {
      const random = generator(seed);
      let slowest = 0;
      let accepted = 0;
      for (let index = 0; index < RUNS; index += 1) {
        const input = make(random);
        const check = checkOf(() => verify(input));
        if (REPORT)
          slowest = Math.max(
            slowest,
            timeOf(() => checkOf(() => verify(input))),
          );
        if (check !== undefined) continue;
        accepted += 1;
        // Only a change of what proves nothing may be let be.
        expect(judged(membersOf(input)), input.toString('hex')).toEqual(essence);
      }
      if (REPORT)
        console.info(`${name}: ${RUNS} inputs, ${accepted} still what was signed, slowest ${slowest.toFixed(1)} ms`);
    }

    it('accepts the genuine one', () => {
      expect(checkOf(() => verify(valid))).toBeUndefined();
    });

    it('neither accepts octets at random nor fails on them', () => {
      run((random) => randomOctets(random, 400), 20_260_101);
    });

    it('neither accepts a mutated one nor fails on it', () => {
      const tree: unknown = decode(valid);
      run((random) => {
        if (random(2) === 0) return mutateOctets(random, valid);
        return Buffer.from(encode(mutateTree(random, tree)));
      }, 20_260_102);
    });
  },
  1_800_000,
);
