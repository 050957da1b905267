import { OctetString } from '@peculiar/asn1-schema';
import { Extension } from '@peculiar/asn1-x509';
import { describe, expect, it } from 'vitest';
import { KEY_DESCRIPTION } from '../../../../lib/attestation/android/key-description.js';
import { verifyAndroidKeyAttestation } from '../../../../lib/attestation/android/verify-android-key.js';
import { parseCertificate, parseChain } from '../../../../lib/attestation/x509/index.js';
import { knownIssuer, rememberIssuer } from '../../../../lib/attestation/x509/known-issuers.js';
import {
  aChain,
  checkOf,
  DAY,
  factory,
  KEY_OBJECT,
  NOW,
  rkp,
  someEvidence,
  type Request,
} from '../android/android.fixture.js';

/** Chains have serials at random, so that what one test makes known is not known to another. */
const dersOf = (request: Request = {}, ca = rkp) => aChain(request, ca).map((text) => Buffer.from(text, 'base64'));
const verdict = (x5c: readonly Uint8Array[], evidence: Parameters<typeof someEvidence>[0] = {}) =>
  checkOf(() => verifyAndroidKeyAttestation(someEvidence({ ...evidence, x5c })));
const knownOf = (x5c: readonly Uint8Array[]) => x5c.map((der) => knownIssuer(der) !== undefined);

/** A chain of which every issuer is known. */
function aKnownChain(request: Request = {}): Buffer[] {
  const x5c = dersOf(request);
  expect(verdict(x5c)).toBe('passes');
  return x5c;
}

describe('an issuer becomes known', () => {
  it('by a chain that passed every check: not its leaf, nor the root', () => {
    const x5c = dersOf();
    expect(knownOf(x5c)).toEqual([false, false, false, false, false]);
    expect(verdict(x5c)).toBe('passes');
    expect(knownOf(x5c)).toEqual([false, true, true, true, false]);
    expect(parseChain(x5c)[1]).toBe(parseChain(x5c)[1]);
    expect(verdict(x5c)).toBe('passes');
  });

  it('below a root that was not sent', () => {
    const x5c = dersOf({ includeRoot: false });
    expect(verdict(x5c)).toBe('passes');
    expect(knownOf(x5c)).toEqual([false, true, true, true]);
    expect(verdict(x5c)).toBe('passes');
  });

  // Whoever owns one phone has keys that Google's root leads to, and may sign with them as often as they like.
  it('not by being a key that is itself only attested, of which a phone makes any number', () => {
    const [leaf] = parseChain(dersOf());
    const attested = leaf?.extensions.get(KEY_DESCRIPTION)?.value as Uint8Array;
    const value = new OctetString(Uint8Array.from(attested).buffer);
    const copy = new Extension({ extnID: KEY_DESCRIPTION, critical: false, extnValue: value });
    const x5c = dersOf({
      change: (tbs, index) => {
        if (index === 1) tbs.extensions?.push(copy);
      },
    });
    expect(verdict(x5c)).toBe('attestation-extension');
    expect(knownOf(x5c)).toEqual([false, false, false, false, false]);
  });

  it.each<[string, Parameters<typeof someEvidence>[0], string]>([
    ['of another time', { now: new Date(NOW + 31 * DAY) }, 'validity'],
    ['for another challenge', { challenge: Buffer.alloc(32, 9) }, 'challenge'],
    ['of another app', { packageName: 'com.example.other' }, 'application'],
    ['under another root', { roots: [factory.root] }, 'trust-anchor'],
  ])('not by a chain %s', (_what, evidence, check) => {
    const x5c = dersOf();
    expect(verdict(x5c, evidence)).toBe(check);
    expect(knownOf(x5c)).toEqual([false, false, false, false, false]);
  });

  it('not by a chain with a bad leaf, whatever its issuers', () => {
    const x5c = dersOf();
    const leaf = Buffer.from(x5c[0] as Buffer);
    leaf[leaf.length - 1] = (leaf.at(-1) as number) ^ 1;
    expect(verdict(x5c.with(0, leaf))).toBe('chain-signature');
    expect(knownOf(x5c)).toEqual([false, false, false, false, false]);
  });
});

describe('a known issuer', () => {
  it('is judged by its dates every time', () => {
    const x5c = aKnownChain();
    expect(verdict(x5c, { now: new Date(NOW + 31 * DAY) })).toBe('validity');
    expect(verdict(x5c, { now: new Date(NOW - 2 * DAY) })).toBe('validity');
    expect(verdict(x5c, { now: new Date(Number.NaN) })).toBe('validity');
    expect(verdict(x5c)).toBe('passes');
  });

  it('is asked for in the status list every time', () => {
    const x5c = aKnownChain();
    for (const { serialHex } of parseChain(x5c))
      expect(verdict(x5c, { revoked: (serial) => serial === serialHex })).toBe('revoked');
  });

  it('leads nowhere under other roots', () => {
    const x5c = aKnownChain();
    expect(verdict(x5c, { roots: [factory.root] })).toBe('trust-anchor');
    expect(verdict(x5c.slice(0, -1), { roots: [factory.root] })).toBe('trust-anchor');
    // A root of the same name and another key, as of another test authority.
    const [own, other] = [dersOf({}, factory), x5c];
    expect(verdict([...other.slice(0, 4), own.at(-1) as Buffer])).toBe('chain-name');
  });

  it('vouches for no leaf that it has not signed', () => {
    const [known, fresh] = [aKnownChain(), dersOf()];
    const leaf = Buffer.from(fresh[0] as Buffer);
    leaf[leaf.length - 2] = (leaf.at(-2) as number) ^ 1;
    expect(verdict([leaf, ...known.slice(1)])).toBe('chain-signature');
    expect(verdict([fresh[0] as Buffer, ...known.slice(1)])).toBe('passes');
  });

  it('stands where its own issuer is above it, and nowhere else', () => {
    const x5c = aKnownChain();
    const [leaf, device, low, high, root] = x5c as [Buffer, Buffer, Buffer, Buffer, Buffer];
    expect(verdict([leaf, low, device, high, root])).not.toBe('passes');
    expect(verdict([leaf, device, high, root])).toBe('chain-name');
    expect(verdict([leaf, device, device, low, high, root])).toBe('chain-name');
    expect(verdict([device, low, high, root])).toBe('attestation-extension');
    expect(verdict([device, leaf, device, low, high, root])).toBe('chain-ca');
    expect(verdict([leaf, device, low, high, high, root])).toBe('chain-name');
  });

  it('may issue no longer a path than it says', () => {
    const x5c = aKnownChain({
      change: (tbs, index) => {
        const constraints = tbs.extensions?.find(({ extnID }) => extnID === '2.5.29.19');
        if (index === 1 && constraints !== undefined)
          constraints.extnValue.buffer = Uint8Array.of(0x30, 6, 1, 1, 0xff, 2, 1, 0).buffer;
      },
    });
    // What another key of the phone issued in the name of the known issuer: one certificate too many.
    const [, below] = dersOf({ change: (tbs, index) => void (index === 1 && (tbs.issuer = tbs.subject)) });
    expect(verdict([x5c[0] as Buffer, below as Buffer, ...x5c.slice(1)])).toBe('chain-ca');
  });

  it('is one of exactly these octets', () => {
    const x5c = aKnownChain();
    for (const at of [1, 2, 3]) {
      const der = Buffer.from(x5c[at] as Buffer);
      for (const offset of [40, der.length - 1]) {
        const changed = Buffer.from(der);
        changed[offset] = (changed[offset] as number) ^ 1;
        expect(knownIssuer(changed)).toBeUndefined();
        expect(verdict(x5c.with(at, changed))).not.toBe('passes');
      }
    }
  });

  it('is as long as any certificate may be', () => {
    const [, device] = aKnownChain();
    expect(checkOf(() => parseCertificate(device as Buffer, 300))).toBe('certificate-size');
  });
});

describe('what is kept', () => {
  it('does not change with the octets that it was read from, nor hold on to what they came in', () => {
    const x5c = dersOf();
    const request = Buffer.alloc(60_000);
    let end = 0;
    const views = x5c.map((der) => {
      der.copy(request, end);
      end += der.length;
      return request.subarray(end - der.length, end);
    });
    expect(verdict(views)).toBe('passes');
    request.fill(0);
    for (const der of x5c.slice(1, 4)) {
      const known = knownIssuer(der);
      expect(Buffer.from(known?.der ?? [])).toEqual(der);
      expect(known?.tbs.buffer.byteLength).toBe(der.length);
    }
    expect(verdict(x5c)).toBe('passes');
  });

  it('are the 500 used last', () => {
    const [leaf] = parseChain(dersOf());
    const first = aKnownChain();
    const key = KEY_OBJECT;
    for (let index = 0; index < 497; index += 1)
      rememberIssuer({ ...(leaf as NonNullable<typeof leaf>), der: Buffer.from(`issuer ${index}`) }, key, key);
    expect(knownOf(first)).toEqual([false, true, true, true, false]);
    for (let index = 0; index < 500; index += 1)
      rememberIssuer({ ...(leaf as NonNullable<typeof leaf>), der: Buffer.from(`another ${index}`) }, key, key);
    expect(knownOf(first)).toEqual([false, false, false, false, false]);
    expect(verdict(first)).toBe('passes');
  });
});
