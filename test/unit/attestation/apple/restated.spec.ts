import { X509Certificate } from 'node:crypto';
import { encode } from 'cborg';
import { expect, it } from 'vitest';
import type { AppleAssertionInput, AppleAttestationInput } from '../../../../lib/attestation/apple/apple.types.js';
import { verifyAppleAssertion } from '../../../../lib/attestation/apple/verify-assertion.js';
import { verifyAppleAttestation } from '../../../../lib/attestation/apple/verify-attestation.js';
import type { AppleAssertionForgery, AppleAttestationForgery } from '../../../../lib/testing/apple-attestation.js';
import { describeVectors } from '../../../utils/vectors.js';
import { APP_ID, apple, BINDING, checkOf, deviceWith, NOW } from './apple.fixture.js';

/** Facts that others found out, restated in `negative-cases.json`, each shown on evidence that passes without the change. */
type Facts = readonly (readonly [words: string, shown: readonly (readonly [check: string, run: () => unknown])[]])[];

const BUNDLE = APP_ID.slice(APP_ID.indexOf('.') + 1);
const ROOT = new X509Certificate(apple.root).raw;

function attest(forgery: AppleAttestationForgery = {}, overrides: Partial<AppleAttestationInput> = {}) {
  const device = deviceWith();
  const attestationObject = device.attest(BINDING, forgery);
  return verifyAppleAttestation({
    attestationObject,
    keyId: device.keyId,
    clientDataHash: BINDING,
    appId: APP_ID,
    environment: 'production',
    roots: [apple.root],
    now: new Date(NOW * 1000),
    ...overrides,
  });
}

function assert(forgery: AppleAssertionForgery = {}, overrides: Partial<AppleAssertionInput> = {}) {
  const device = deviceWith();
  const assertion = device.assert(BINDING, forgery);
  const input = { assertion, clientDataHash: BINDING, publicKey: device.publicKey, appId: APP_ID, previousCounter: 0 };
  return verifyAppleAssertion({ ...input, ...overrides });
}

const octets = (attestationObject: Uint8Array) => () => attest({}, { attestationObject });
const chain = (x5c: unknown) => () =>
  attest({ object: (members) => ({ ...members, attStmt: { ...(members['attStmt'] as object), x5c } }) });
const certificates = (x5c: NonNullable<AppleAttestationForgery['x5c']>) => () => attest({ x5c });
const data = (edit: (octets: Buffer) => Buffer | void) => () =>
  attest({ authData: (before) => edit(before) ?? before });
const nonces = (nonceExtensions: NonNullable<AppleAttestationForgery['nonceExtensions']>) => () =>
  attest({ nonceExtensions });
const map = (members: object) => data((before) => Buffer.concat([before, encode(members)]));

function lastFlipped(der: Buffer | undefined): Buffer {
  const copy = Buffer.from(der ?? []);
  copy.writeUInt8(copy.readUInt8(copy.length - 1) ^ 1, copy.length - 1);
  return copy;
}

/** Data of a newer system, whose map is taken away after they were certified. */
function stripped(): unknown {
  const device = deviceWith({ extensionFlag: false, validationCategory: 4, bundleVersion: '1.2.3' });
  const attestationObject = device.attest(BINDING, {
    object: (members) => ({ ...members, authData: (members['authData'] as Buffer).subarray(0, 164) }),
  });
  return attest({}, { attestationObject, keyId: device.keyId });
}

const ATTESTATION: Facts = [
  [
    'not CBOR / truncated',
    [
      ['cbor', octets(Buffer.from('no CBOR'))],
      ['cbor', octets(deviceWith().attest(BINDING).subarray(0, -1))],
      ['cbor', octets(Buffer.of(0xff))],
    ],
  ],
  [
    'attStmt absent',
    [
      ['cbor', () => attest({ object: ({ attStmt: _absent, ...members }) => members })],
      ['cbor', () => attest({ object: (members) => ({ ...members, attStmt: [] }) })],
    ],
  ],
  [
    'x5c absent, not an array',
    [
      ['cbor', () => attest({ object: (members) => ({ ...members, attStmt: { receipt: Buffer.alloc(1) } }) })],
      ['cbor', chain('x5c')],
      ['cbor', chain(['leaf', 'ca'])],
      ['chain-length', certificates(([leaf]) => [leaf])],
      ['chain-length', chain([])],
    ],
  ],
  ['garbage bytes', [['certificate', chain([Buffer.from('garbage'), Buffer.from('garbage')])]]],
  [
    'appId of another team',
    [`AAAAAAAAAA.${BUNDLE}`, `${APP_ID}.other`, BUNDLE, APP_ID.toUpperCase()].map(
      (appId) => ['app-id', () => attest({}, { appId })] as const,
    ),
  ],
  ['counter not 0', [['counter', data((before) => void before.writeUInt32BE(1, 33))]]],
  [
    'credentialIdLength 24',
    [
      ['authenticator-data', data((before) => void before.writeUInt16BE(24, 53))],
      ['credential-id', data((before) => void before.writeUInt8(before.readUInt8(60) ^ 1, 60))],
    ],
  ],
  ['leaf not yet valid', [['validity', () => attest({}, { now: new Date((NOW - 90_000) * 1000) })]]],
  ['self-signed certificate', [['chain-length', certificates(() => [ROOT])]]],
  [
    'signature flipped',
    [
      ['chain-signature', certificates(([leaf, ca]) => [lastFlipped(leaf), ca])],
      ['trust-anchor', certificates(([leaf, ca]) => [leaf, lastFlipped(ca)])],
    ],
  ],
  [
    'nonce extension 1.2.840.113635.100.8.2',
    [
      ['nonce-extension', nonces(() => [])],
      ['certificate', nonces((value) => [value, value])],
      ['nonce-extension', nonces((value) => [Buffer.concat([Buffer.from('3024a2', 'hex'), value.subarray(3)])])],
      ['nonce-extension', nonces((value) => [Buffer.concat([value, Buffer.of(0)])])],
    ],
  ],
  [
    'without member -3',
    [
      [
        'credential-key',
        data((before) => Buffer.concat([before.subarray(0, 87), Buffer.of(0xa4), before.subarray(88, 129)])),
      ],
    ],
  ],
  ['extensions stripped', [['nonce', stripped]]],
  [
    '3 bytes rather than 4',
    [
      ['extensions', map({ apple_validation_category_01: Buffer.alloc(3) })],
      ['extensions', map({ apple_validation_category_01: 4 })],
    ],
  ],
];

const ASSERTION: Facts = [
  [
    'member absent or of text type',
    [
      ['cbor', () => assert({ object: ({ signature }) => ({ signature }) })],
      ['cbor', () => assert({ object: ({ authenticatorData }) => ({ authenticatorData }) })],
      ['cbor', () => assert({ object: (members) => ({ ...members, signature: 'text' }) })],
      ['cbor', () => assert({ object: (members) => ({ ...members, authenticatorData: 'text' }) })],
    ],
  ],
  ['of 33 bytes', [['authenticator-data', () => assert({ authenticatorData: (before) => before.subarray(0, 33) })]]],
  ['clientData changed', [['signature', () => assert({}, { clientDataHash: Buffer.alloc(32) })]]],
  ['another public key', [['signature', () => assert({}, { publicKey: deviceWith().publicKey })]]],
];

describeVectors('apple-app-attest', (vectors) => {
  type Row = { readonly m: string };
  const rows = vectors.json<{ attestation: Row[]; assertion: Row[] }>('negative-cases.json');
  const wrongRoot = new X509Certificate(vectors.text('roots/WRONG-ROOT_Apple_WebAuthn_Root_CA.pem')).raw;
  const attestation: Facts = [
    ...ATTESTATION,
    ['that WebAuthn root', [['trust-anchor', certificates(([leaf]) => [leaf, wrongRoot])]]],
  ];

  it('without a change, it passes', () => {
    expect(checkOf(() => attest())).toBeUndefined();
    expect(checkOf(() => assert())).toBeUndefined();
  });

  const all = [
    ...rows.attestation.map(({ m }) => ['attestation', m, attestation] as const),
    ...rows.assertion.map(({ m }) => ['assertion', m, ASSERTION] as const),
  ];
  it.each(all)('%s: %s', (_kind, fact, facts) => {
    const known = facts.filter(([words]) => fact.includes(words));
    expect(known, 'a restated fact without a case here').toHaveLength(1);
    for (const [check, run] of known[0]?.[1] ?? []) expect(checkOf(run)).toBe(check);
  });
});
