import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createInspectCommand } from '../../../lib/cli/inspect/inspect.js';
import { run } from '../../../lib/cli/run.js';
import { createAppleAttestationCa } from '../../../lib/testing/apple-attestation.js';
import { createAttestationIssuer } from '../../../lib/testing/attestation-issuer.js';
import { describeVectors } from '../../utils/vectors.js';

const NOW = 1_767_225_600;
const AT = ['--at', String(NOW)];
const APP_ID = 'ABCDE12345.com.example.bank';
const BINDING = createHash('sha256').update('binding').digest();

const folder = mkdtempSync(join(tmpdir(), 'inspect-'));
afterAll(() => rmSync(folder, { recursive: true }));

const apple = createAppleAttestationCa({ clock: () => NOW });
const rootFile = fileOf('root.pem', apple.root);
const device = apple.createDevice({
  appId: APP_ID,
  environment: 'production',
  validationCategory: 4,
  bundleVersion: '7',
});
const ATTESTED = [
  `--binding=${BINDING.toString('hex')}`,
  `--app-id=${APP_ID}`,
  '--environment=production',
  `--key-id=${device.keyId}`,
  `--root=${rootFile}`,
  ...AT,
];

function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `nestjs-tab inspect - ...` on this input. */
async function inspect(input: string | Uint8Array, ...options: string[]): Promise<Outcome> {
  return inspectArguments(['-', ...options], input);
}

async function inspectArguments(args: readonly string[], input: string | Uint8Array = ''): Promise<Outcome> {
  let [out, err] = ['', ''];
  async function* stream() {
    yield await Promise.resolve(Buffer.from(input as string));
  }
  const commands = { inspect: () => Promise.resolve(createInspectCommand(stream)) };
  const output = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const status = await run(['inspect', ...args], output, commands);
  return { status, out, err };
}

interface Report {
  readonly kind: string;
  readonly pass: boolean;
  readonly refused: readonly string[];
  readonly unchecked: readonly string[];
}

async function report(input: string | Uint8Array, ...options: string[]): Promise<Report & { readonly status: number }> {
  const { status, out } = await inspect(input, '--json', ...options);
  return { status, ...(JSON.parse(out) as Report) };
}

interface TokenParts {
  readonly header?: object;
  readonly claims?: object;
  readonly key?: KeyObject;
}

const instance = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicJwk = instance.publicKey.export({ format: 'jwk' });

function jws({ header = {}, claims = {}, key = instance.privateKey }: TokenParts = {}): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function claimsOf(overrides: object = {}): object {
  return {
    jti: 'j'.repeat(22),
    iat: NOW,
    nonce: 'challenge-of-the-server',
    htm: 'POST',
    htu: 'https://api.example.com/transfers',
    app: { id: 'bank.ios', ver: '1.2.3' },
    rt: { at: NOW, found: [], clear: ['root'], sdk: 'test/1' },
    ...overrides,
  };
}

function enrolmentToken({ header, claims, key }: TokenParts = {}): string {
  return jws({
    header: { typ: 'tab-enroll+jwt', alg: 'ES256', jwk: publicJwk, ...header },
    claims: claimsOf(claims),
    key,
  });
}

function requestToken(parts: TokenParts = {}): string {
  const header = { typ: 'tab+jwt', alg: 'ES256', kid: 'k'.repeat(43), ...parts.header };
  return jws({ header, claims: claimsOf(parts.claims) });
}

const TOKEN = ['--challenge', 'challenge-of-the-server', '--app-id', 'bank.ios', ...AT];

describe('inspect of App Attest evidence', () => {
  it.each<[string, (object: Buffer) => string | Buffer]>([
    ['as octets', (object) => object],
    ['in base64', (object) => object.toString('base64')],
    ['in base64 with line breaks', (object) => object.toString('base64').replaceAll(/.{64}/g, '$&\n')],
    ['in base64url', (object) => object.toString('base64url')],
    [
      'as a statement',
      (object) => JSON.stringify({ keyId: device.keyId, attestationObject: object.toString('base64') }),
    ],
  ])('passes when everything fits: %s', async (_title, encode) => {
    const { status, out, err } = await inspect(encode(device.attest(BINDING)), ...ATTESTED);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(/\nwould pass\n$/);
    expect(out).toContain('validationCategory: 4');
    expect(out).toContain('✓ nonce');
    expect(out).toContain('CN=Synthetic App Attestation CA 1');
  });

  it('says what it could not check', async () => {
    const outcome = await report(device.attest(BINDING), '--root', rootFile, ...AT);
    expect(outcome).toMatchObject({ status: 0, kind: 'App Attest attestation', pass: true, refused: [] });
    expect(outcome.unchecked).toEqual(['nonce', 'app id', 'environment']);
  });

  it.each<[string, string[], string[]]>([
    ['another app', ['--app-id', 'ABCDE12345.com.example.other'], ['app id']],
    ['another challenge', ['--binding', '00'], ['nonce']],
    ['another environment', ['--environment', 'development'], ['environment']],
    ['another key', ['--key-id', Buffer.alloc(32).toString('base64')], ['key']],
    ['another time', ['--at', '2030-01-01T00:00:00Z'], ['certificates']],
    ['two things', ['--binding', '00', '--environment', 'development'], ['nonce', 'environment']],
  ])('names all that is wrong: %s', async (_title, options, refused) => {
    const outcome = await report(device.attest(BINDING), ...ATTESTED, ...options);
    expect(outcome).toMatchObject({ status: 1, pass: false, refused });
  });

  it('trusts Apple where no root is given', async () => {
    const { status, out, err } = await inspect(device.attest(BINDING), ...AT);
    expect(status).toBe(1);
    expect(out).toContain('✗ certificates: attestation_rejected: trust-anchor');
    expect(err).toBe('nestjs-tab: refused: 1 of its checks failed\n');
  });

  it('reads evidence that is cut short as far as that goes', async () => {
    expect(await report(device.attest(BINDING).subarray(0, 300))).toMatchObject({ status: 1, refused: ['structure'] });
  });

  it('reads assertions', async () => {
    const outcome = await report(device.assert(BINDING), '--app-id', APP_ID);
    expect(outcome).toMatchObject({ status: 0, kind: 'App Attest assertion', unchecked: ['signature', 'counter'] });
    expect((await report(device.assert(BINDING), '--app-id', 'AAAAA12345.x')).refused).toEqual(['app id']);
  });
});

describe('inspect of tokens', () => {
  it('passes a request token as far as that can be told', async () => {
    expect(await report(requestToken(), ...TOKEN)).toMatchObject({
      status: 0,
      kind: 'TAB token',
      refused: [],
      unchecked: ['request', 'replay', 'signature', 'policy'],
    });
  });

  it.each<[string, TokenParts, string[]]>([
    ['an old one', { claims: { iat: NOW - 66, rt: { at: NOW - 66, found: [], clear: [], sdk: 'x' } } }, ['iat']],
    ['one from the future', { claims: { iat: NOW + 6 } }, ['iat']],
    [
      'one that has expired',
      { claims: { iat: NOW - 20, exp: NOW - 10, rt: { at: NOW - 20, found: [], clear: [], sdk: 'x' } } },
      ['exp'],
    ],
    ['one of another app', { claims: { app: { id: 'other', ver: '1.0.0' } } }, ['app id']],
    ['one without evidence', { claims: { rt: undefined } }, ['claims']],
    ['one with a key in the header', { header: { jwk: publicJwk } }, ['header']],
    ['one without an algorithm', { header: { alg: 'none' } }, ['header']],
    ['one over another challenge', { claims: { nonce: 'other' } }, ['nonce']],
  ])('refuses %s', async (_title, parts, refused) => {
    expect(await report(requestToken(parts), ...TOKEN)).toMatchObject({ status: 1, refused });
  });

  it('knows tokens by proof keys', async () => {
    const kid = `${'k'.repeat(43)}~${'p'.repeat(34)}`;
    expect(await report(requestToken({ header: { alg: 'HS256', kid } }), ...TOKEN)).toMatchObject({ status: 0 });
    expect((await report(requestToken({ header: { alg: 'HS256' } }), ...TOKEN)).refused).toEqual(['header']);
  });

  it('verifies enrolment tokens by the key that they name', async () => {
    expect(await report(enrolmentToken(), ...TOKEN)).toMatchObject({ status: 0, kind: 'TAB enrolment token' });
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect((await report(enrolmentToken({ key }), ...TOKEN)).refused).toEqual(['signature']);
    const jwk = instance.privateKey.export({ format: 'jwk' });
    expect((await report(enrolmentToken({ header: { jwk } }), ...TOKEN)).refused).toEqual(['key']);
  });

  it('verifies DPoP proofs likewise', async () => {
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: publicJwk };
    const claims = { jti: 'x', htm: 'GET', htu: 'https://api.example.com/', iat: NOW };
    expect(await report(jws({ header, claims }), ...AT)).toMatchObject({ status: 0, kind: 'DPoP proof' });
    expect((await report(jws({ header, claims: { ...claims, iat: NOW - 3600 } }), ...AT)).refused).toEqual(['iat']);
    expect((await report(jws({ header, claims: { ...claims, htm: undefined } }), ...AT)).refused).toEqual(['claims']);
  });

  it('reads client attestations', async () => {
    const issuer = createAttestationIssuer({ clock: () => NOW });
    const jwt = await issuer.issue({ sub: 'bank.ios', publicKey: publicJwk });
    expect(await report(jwt, '--app-id', 'bank.ios', ...AT)).toMatchObject({ status: 0, kind: 'client attestation' });
    const late = await report(jwt, '--app-id', 'bank.web', '--at', String(NOW + 4000));
    expect(late.refused).toEqual(['time', 'subject']);
    const leaky = await issuer.issue({ sub: 'bank.ios', publicKey: instance.privateKey.export({ format: 'jwk' }) });
    expect((await report(leaky, ...AT)).refused).toEqual(['confirmation']);
  });

  it('shows any other JWT, without taking it for one of ours', async () => {
    const outcome = await report(jws({ header: { alg: 'ES256' }, claims: { exp: NOW + 1, sub: 'x' } }), ...AT);
    expect(outcome).toMatchObject({ status: 0, kind: 'JWT', unchecked: ['everything else'] });
  });

  it('writes nothing on the terminal that could steer it', async () => {
    const { out } = await inspect(
      requestToken({ claims: { 'evil\u001b[2J': '\u009b31m\u202e', nonce: '\u0007' } }),
      ...AT,
    );
    // eslint-disable-next-line no-control-regex
    expect(out.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(out).toContain('\\u009b31m');
  });

  it('nor does its JSON, which says the same', async () => {
    const said = { nonce: '\u009b31m\u202e\u007f\n' };
    const { out } = await inspect(requestToken({ claims: said }), '--json', ...AT);
    // eslint-disable-next-line no-control-regex
    expect(out.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(JSON.stringify(JSON.parse(out))).toContain('\u009b31m\u202e\u007f');
  });

  it('is not kept busy by a file of spaces', async () => {
    expect(await inspect(`A${' '.repeat(1_000_000)}!`)).toMatchObject({ status: 1 });
  });
});

describe('inspect of enrolment bodies', () => {
  const app = { id: 'bank.ios', ver: '1.2.3', platform: 'ios' };

  it('judges the attestation in them', async () => {
    const statement = { keyId: device.keyId, attestationObject: device.attest(BINDING).toString('base64') };
    const body = JSON.stringify({ app, attestation: { format: 'apple-appattest', statement } });
    expect(await report(body, ...ATTESTED)).toMatchObject({ status: 0, kind: 'enrolment body', unchecked: [] });
    expect((await report(body, ...ATTESTED, '--binding', '00')).refused).toEqual(['nonce']);
  });

  it('judges their own form', async () => {
    const body = { app: { ...app, ver: 'one' }, attestation: { format: 'none' } };
    expect((await report(JSON.stringify(body))).refused).toEqual(['structure']);
    expect((await report(JSON.stringify({ ...body, app }))).unchecked).toEqual(['app']);
    const unknown = { app, attestation: { format: 'play-integrity', statement: { token: 'opaque' } } };
    expect((await report(JSON.stringify(unknown))).unchecked).toEqual(['statement']);
  });
});

describe('inspect of certificates', () => {
  it('says that a chain is no attestation, and which it is', async () => {
    const { status, out } = await inspect(apple.root);
    expect(status).toBe(1);
    expect(out).toContain('CN=Synthetic App Attestation Root CA');
    expect(out).toContain('✗ attestation extension');
  });

  it('survives certificates that are none', async () => {
    const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
    expect((await report(pem)).refused.length).toBeGreaterThan(0);
    expect((await report(JSON.stringify({ x5c: [1] }))).refused).toEqual(['statement']);
    expect((await report('["????"]')).refused).toEqual(['certificates']);
  });
});

describe('how inspect is called', () => {
  it.each<[string, string[]]>([
    ['without a file', []],
    ['with two files', ['a', 'b']],
    ['with an option that there is not', ['-', '--key', 'x']],
    ['with a time that is none', ['-', '--at', 'yesterday']],
    ['with a binding that is none', ['-', '--binding', 'x y']],
    ['with an environment that is none', ['-', '--environment', 'staging']],
    ['with a file that is not there', [join(folder, 'absent')]],
    ['with a folder', [folder]],
    ['with a root that is not there', ['-', '--root', join(folder, 'absent')]],
  ])('ends with status 2 %s', async (_title, args) => {
    const { status, out, err } = await inspectArguments(args, 'e30');
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(/^nestjs-tab: usage: /);
  });

  it('reads files', async () => {
    const path = fileOf('token', `${requestToken()}\n`);
    expect((await inspectArguments([path, ...TOKEN])).status).toBe(0);
  });

  it('reads at most 1 MB', async () => {
    const { status, err } = await inspectArguments([fileOf('large', Buffer.alloc(1_048_577, 0x41))]);
    expect({ status, err: err.split('\n')[0] }).toEqual({
      status: 2,
      err: 'nestjs-tab: usage: the input is longer than 1048576 octets',
    });
  });

  it.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['prose', 'Dear Sir or Madam,'],
    ['JSON of another kind', '{"a":1}'],
    ['JSON that is none', '{"a":'],
    ['octets', Buffer.alloc(1000, 0xfe)],
    ['a million brackets', '['.repeat(1_000_000)],
  ])('ends with status 1 on %s', async (_title, input) => {
    const { status, err } = await inspect(input);
    expect(status).toBe(1);
    expect(err).toMatch(/^nestjs-tab: unknown_form: /);
  });
});

describeVectors('android-key-attestation', (vectors) => {
  it('tells of a genuine chain, and why it would be refused elsewhere', async () => {
    const pem = vectors.text('chains/google-caiman_sdk36_SB_EC_RKP.pem');
    const facts = vectors.json<{ evaluateAt: string }>('chains/google-caiman_sdk36_SB_EC_RKP.json');
    const outcome = await report(pem, '--at', facts.evaluateAt);
    expect(outcome).toMatchObject({ kind: 'Android key attestation' });
    expect(outcome.unchecked).toEqual(['challenge', 'application', 'signing certificate', 'revocation']);
    expect((await report(pem, '--at', facts.evaluateAt, '--challenge', 'other')).refused).toEqual(['verification']);
    expect((await inspect(pem, '--digest', 'x')).status).toBe(2);
  });
});

describeVectors('apple-app-attest', (vectors) => {
  it("passes Apple's own sample at its time, and not today", async () => {
    interface Sample {
      readonly attestationB64: string;
      readonly clientDataHashB64: string;
      readonly appId: string;
      readonly keyIdB64: string;
      readonly evaluateAt: string;
    }
    const sample = vectors.json<Sample>('attestations/apple-guide-2024.json');
    const options = ['--app-id', sample.appId, '--key-id', sample.keyIdB64, '--environment', 'production'];
    const binding = ['--binding', Buffer.from(sample.clientDataHashB64, 'base64').toString('hex')];
    const judged = await report(sample.attestationB64, ...options, ...binding, '--at', sample.evaluateAt);
    expect(judged).toMatchObject({ status: 0, pass: true, unchecked: [] });
    expect(await report(sample.attestationB64, ...options, ...binding)).toMatchObject({ refused: ['certificates'] });
  });
});
