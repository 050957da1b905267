import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, toldBy, writesOf, type TestApp } from '../utils/http/app.js';
import { randomId, type Call, type Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { b64u, createKey, digest, signature } from '../utils/http/keys.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { OpenController } from './controllers.js';

type Row = readonly [title: string, call: Call | ((device: Device) => Call | Promise<Call>), code: string];

const claims = (members: Record<string, unknown>): Call => ({ claims: members });
const header = (members: Record<string, unknown>): Call => ({ header: members });
const rt = (members: Record<string, unknown>) => (device: Device) =>
  claims({ rt: { at: device.now, found: [], clear: [], sdk: 'x/1', ...members } });
const sent = (change: (token: string) => string): Call => ({ tokens: (token) => [change(token)] });
const segments = (change: (parts: string[]) => string[]): Call => sent((token) => change(token.split('.')).join('.'));
const payload = (json: string): Call => segments(([head, , mac]) => [head ?? '', b64u(json), mac ?? '']);

const SENDING: readonly Row[] = [
  ['no header', { tokens: () => [] }, 'missing_token'],
  ['an empty header', { tokens: () => [''] }, 'missing_token'],
  ['a header of blanks', { tokens: () => ['   '] }, 'missing_token'],
  ['two headers', (d) => ({ tokens: (t) => [t, d.prepare().token] }), 'malformed_token'],
  ['the same header twice', { tokens: (t) => [t, t] }, 'malformed_token'],
  ['an empty header before the token', { tokens: (t) => ['', t] }, 'malformed_token'],
  ['two tokens joined by a comma', sent((t) => `${t}, ${t}`), 'malformed_token'],
  ['5 KB', claims({ padding: 'x'.repeat(5_000) }), 'malformed_token'],
  ['12 KB', claims({ padding: 'x'.repeat(9_000) }), 'malformed_token'],
];

const STRUCTURE: readonly Row[] = [
  ['a word', sent(() => 'word'), 'malformed_token'],
  ['two segments', segments((parts) => parts.slice(0, 2)), 'malformed_token'],
  ['four segments', segments((parts) => [...parts, 'AA']), 'malformed_token'],
  ['five segments, like a JWE', segments((parts) => [...parts, 'AA', 'AA']), 'malformed_token'],
  ['an empty header segment', segments(([, ...rest]) => ['', ...rest]), 'malformed_token'],
  ['an empty signature', segments(([a, b]) => [a ?? '', b ?? '', '']), 'malformed_token'],
  ['padding', sent((t) => `${t}=`), 'malformed_token'],
  ['base64 of the other alphabet', segments(([a, b]) => [a ?? '', b ?? '', '++//']), 'malformed_token'],
  ['a segment of impossible length', segments(([a, b]) => [a ?? '', b ?? '', 'AAAAA']), 'malformed_token'],
  [
    'trailing bits that are not zero',
    segments(([a, b, c = '']) => [a ?? '', b ?? '', `${c.slice(0, -1)}${spare(c.at(-1))}`]),
    'malformed_token',
  ],
  ['a quote', sent((t) => `"${t}"`), 'malformed_token'],
  ['a scheme before it', sent((t) => `TAB ${t}`), 'malformed_token'],
  [
    'octets that are no UTF-8',
    segments(([a, , c]) => [a ?? '', Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url'), c ?? '']),
    'malformed_token',
  ],
  ['a payload that is no JSON', payload('{'), 'malformed_token'],
  ['a payload that is an array', payload('[]'), 'malformed_token'],
  ['a payload that is null', payload('null'), 'malformed_token'],
  ['a payload that is a string', payload('"x"'), 'malformed_token'],
  ['a header that is an array', segments(([, ...rest]) => [b64u('[]'), ...rest]), 'malformed_token'],
];

/** The last character of a 64-octet signature carries four unused bits. */
function spare(last = 'A'): string {
  return String.fromCharCode(last.charCodeAt(0) + 1);
}

const HEADERS: readonly Row[] = [
  ['no typ', header({ typ: undefined }), 'malformed_token'],
  ['typ JWT', header({ typ: 'JWT' }), 'malformed_token'],
  ['typ in capitals', header({ typ: 'TAB+JWT' }), 'malformed_token'],
  ['typ as a media type', header({ typ: 'application/tab+jwt' }), 'malformed_token'],
  ['typ of an enrolment', header({ typ: 'tab-enroll+jwt' }), 'malformed_token'],
  ['jwk', (d) => header({ jwk: d.key.jwk }), 'malformed_token'],
  ['jku', header({ jku: 'https://attacker.example/jwks' }), 'malformed_token'],
  ['x5c', header({ x5c: [] }), 'malformed_token'],
  ['x5u', header({ x5u: 'https://attacker.example/x' }), 'malformed_token'],
  ['crit', header({ crit: ['exp'] }), 'malformed_token'],
  ['b64', header({ b64: false }), 'malformed_token'],
  ['jwk that is null', header({ jwk: null }), 'malformed_token'],
  ['alg missing', header({ alg: undefined }), 'malformed_token'],
  ['alg a number', header({ alg: 256 }), 'malformed_token'],
  ['alg none', header({ alg: 'none' }), 'unsupported_alg'],
  ['alg None', header({ alg: 'None' }), 'unsupported_alg'],
  ['alg HS256', header({ alg: 'HS256' }), 'unsupported_alg'],
  ['alg es256', header({ alg: 'es256' }), 'unsupported_alg'],
  ['alg constructor', header({ alg: 'constructor' }), 'unsupported_alg'],
  ['alg not configured', header({ alg: 'RS256' }), 'unsupported_alg'],
  ["alg configured, not the key's", header({ alg: 'ES384' }), 'unsupported_alg'],
  ['kid missing', header({ kid: undefined }), 'malformed_token'],
  ['kid too short', (d) => header({ kid: d.id.slice(1) }), 'malformed_token'],
  ['kid a number', header({ kid: 1 }), 'malformed_token'],
  ['kid unknown, with a challenge of this instance', header({ kid: digest('nobody') }), 'use_tab_nonce'],
  ['kid unknown', (d) => withoutInstance(d, digest('nobody')), 'unknown_instance'],
  ['kid in another case', (d) => withoutInstance(d, swapCase(d.id)), 'unknown_instance'],
];

/** A challenge that is for no instance comes to those who have proven nothing. */
async function withoutInstance(device: Device, kid: string): Promise<Call> {
  const { nonce } = device;
  const answer = await device.send(claims({ nonce: undefined }));
  device.nonce = nonce;
  return { header: { kid }, claims: { nonce: answer.header('tab-nonce') } };
}

/** Another id to every store but one that folds cases. The last character stays: not every one is canonical there. */
function swapCase(id: string): string {
  const swapped = id.replace(/[a-z]/gi, (c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()));
  return swapped.slice(0, -1) + id.slice(-1);
}

const CLAIMS: readonly Row[] = [
  ...['jti', 'iat', 'htm', 'htu', 'app', 'rt'].map((name): Row => [
    `no ${name}`,
    claims({ [name]: undefined }),
    'malformed_token',
  ]),
  ['jti of 21 characters', claims({ jti: 'a'.repeat(21) }), 'malformed_token'],
  ['jti of 65 characters', claims({ jti: 'a'.repeat(65) }), 'malformed_token'],
  ['jti with a dot', claims({ jti: `${'a'.repeat(30)}.` }), 'malformed_token'],
  ['iat a string', (d) => claims({ iat: String(d.now) }), 'malformed_token'],
  ['iat a fraction', (d) => claims({ iat: d.now + 0.5 }), 'malformed_token'],
  ['iat negative', claims({ iat: -1 }), 'malformed_token'],
  ['iat above 2^53', claims({ iat: 2 ** 53 }), 'malformed_token'],
  ['iat null', claims({ iat: null }), 'malformed_token'],
  ['exp a string', claims({ exp: '1' }), 'malformed_token'],
  ['nonce a number', claims({ nonce: 1 }), 'malformed_token'],
  ['htm a list', claims({ htm: ['GET'] }), 'malformed_token'],
  ['htu an object', claims({ htu: {} }), 'malformed_token'],
  ['qsh a number', claims({ qsh: 1 }), 'malformed_token'],
  ['bh null', claims({ bh: null }), 'malformed_token'],
  ['ath false', claims({ ath: false }), 'malformed_token'],
  ['sid a number', claims({ sid: 1 }), 'malformed_token'],
  ['hd a list', claims({ hd: [] }), 'malformed_token'],
  ['hd with a capital', claims({ hd: { Accept: 'x' } }), 'malformed_token'],
  ['hd of numbers', claims({ hd: { accept: 1 } }), 'malformed_token'],
  ['app a string', claims({ app: 'com.example.bank' }), 'malformed_token'],
  ['app without ver', claims({ app: { id: 'com.example.bank' } }), 'malformed_token'],
  ['app.ver no SemVer', claims({ app: { id: 'com.example.bank', ver: '2.1' } }), 'malformed_token'],
  ['app.id with a space', claims({ app: { id: 'a b', ver: '2.1.0' } }), 'malformed_token'],
  ['rt a list', claims({ rt: [] }), 'malformed_token'],
  ['rt.at missing', rt({ at: undefined }), 'malformed_token'],
  ['rt.at a string', rt({ at: '1' }), 'malformed_token'],
  ['rt.at after iat', (d) => rt({ at: d.now + 1 })(d), 'malformed_token'],
  ['rt.found missing', rt({ found: undefined }), 'malformed_token'],
  ['rt.found an object', rt({ found: {} }), 'malformed_token'],
  ['rt.clear with a capital', rt({ clear: ['Root'] }), 'malformed_token'],
  ['rt.clear with a name twice', rt({ clear: ['root', 'root'] }), 'malformed_token'],
  ['rt with a name found and clear', rt({ found: ['root'], clear: ['root'] }), 'malformed_token'],
  ['rt with 65 names', rt({ clear: Array.from({ length: 65 }, (_, i) => `x-v-${i}`) }), 'malformed_token'],
  ['rt.sdk missing', rt({ sdk: undefined }), 'malformed_token'],
  ['rt.sdk with a line feed', rt({ sdk: 'a\nb' }), 'malformed_token'],
];

const TIME: readonly Row[] = [
  ['iat 6 s ahead', (d) => claims({ iat: d.now + 6 }), 'stale_token'],
  [
    'iat 66 s ago',
    (d) => claims({ iat: d.now - 66, rt: { at: d.now - 66, found: [], clear: [], sdk: 'x' } }),
    'stale_token',
  ],
  ['iat 0', claims({ iat: 0, rt: { at: 0, found: [], clear: [], sdk: 'x' } }), 'stale_token'],
  ['iat at the end of time', claims({ iat: 2 ** 53 - 1 }), 'stale_token'],
  ['exp not after iat', (d) => claims({ exp: d.now }), 'stale_token'],
  [
    'exp passed',
    (d) => claims({ iat: d.now - 20, exp: d.now - 5, rt: { at: d.now - 20, found: [], clear: [], sdk: 'x' } }),
    'stale_token',
  ],
];

const SIGNATURES: readonly Row[] = [
  ['by another key', { key: createKey() }, 'bad_signature'],
  ['of 63 octets', signed((octets) => octets.subarray(0, 63)), 'bad_signature'],
  ['of 65 octets', signed((octets) => Buffer.concat([octets, Buffer.of(0)])), 'bad_signature'],
  ['of zeros', signed(() => Buffer.alloc(64)), 'bad_signature'],
  ['of the group order', signed(() => Buffer.concat([ORDER, ORDER])), 'bad_signature'],
  ['in DER', signed(() => Buffer.from('3006020101020101', 'hex')), 'bad_signature'],
  ['over another payload', segments(([a, b = '', c]) => [a ?? '', rewritten(b), c ?? '']), 'bad_signature'],
];

const ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');

function signed(change: (octets: Buffer) => Buffer): Call {
  return segments(([a, b, c = '']) => [a ?? '', b ?? '', change(Buffer.from(c, 'base64url')).toString('base64url')]);
}

function rewritten(segment: string): string {
  const members = JSON.parse(Buffer.from(segment, 'base64url').toString()) as object;
  return b64u(JSON.stringify({ ...members, jti: randomId() }));
}

describe.each(PLATFORMS)('a bad token on $name', (platform) => {
  let app: TestApp;
  let device: Device;
  const tokens: string[] = [];

  beforeAll(async () => {
    app = await startApp(platform, { controllers: [OpenController], tab: { algorithms: ['ES384'] } });
    device = await app.device().enrolled();
    expectAccepted(await device.send());
  });
  afterAll(() => app.stop());

  describe.each([
    ['sent wrongly', SENDING],
    ['of wrong structure', STRUCTURE],
    ['with a wrong header', HEADERS],
    ['with wrong claims', CLAIMS],
    ['at a wrong time', TIME],
    ['with a wrong signature', SIGNATURES],
  ] as const)('%s', (_title, rows) => {
    it.each(rows)('%s', async (_name, row, code) => {
      const call = typeof row === 'function' ? await row(device) : row;
      const before = writesOf(app);
      tokens.push(device.prepare(call).token);
      const { nonce } = device;
      expectRefusal(await device.send(call), code);
      device.nonce = nonce;
      expect(writesOf(app)).toEqual(before);
    });
  });

  it('of an EdDSA key where only ES256 and ES384 are configured does not enrol', async () => {
    expectRefusal(await app.device({ alg: 'EdDSA' }).enrol(), 'unsupported_alg');
  });

  it('with duplicate members is read by the last of them', async () => {
    const { token } = device.prepare();
    const body = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
    const doubled = compactText(device, body.replace('{', '{"htm":"DELETE","iat":"x",'));
    expectAccepted(await device.send({ tokens: () => [doubled] }));
    const spoiled = compactText(device, body.replace(/\}$/, ',"htm":"DELETE"}'));
    expectRefusal(await device.send({ tokens: () => [spoiled] }), 'request_mismatch');
  });

  it('with unknown members in header and claims is no bad one', async () => {
    expectAccepted(
      await device.send({ header: { cty: 'x', extra: [1] }, claims: { extra: { deep: [] }, __proto__x: 1 } }),
    );
  });

  it.each([-65, -1, 0, 5])('made %i s from now is in time', async (offset) => {
    const iat = device.now + offset;
    expectAccepted(await device.send({ claims: { iat, rt: { at: iat, found: [], clear: [], sdk: 'x/1' } } }));
  });

  it.each([
    [-100, '100'],
    [100, '-100'],
  ])('made %i s from now learns the skew', async (offset, skew) => {
    const answer = await device.send({
      claims: { iat: device.now + offset, rt: { at: device.now - 100, found: [], clear: [], sdk: 'x/1' } },
    });
    expectRefusal(answer, 'stale_token');
    expect(answer.header('tab-skew')).toBe(skew);
    expect(Date.parse(answer.header('date') ?? '')).toBe(app.clock.seconds * 1000);
  });

  it('leaves no token in any log or record', () => {
    expect(tokens.length).toBeGreaterThan(100);
    const told = toldBy(app);
    for (const token of tokens) {
      const [, claimed = '', mac = ''] = token.split('.');
      expect(told).not.toContain(claimed.slice(0, 40) || token);
      expect(told).not.toContain(mac.slice(0, 40) || token);
    }
  });
});

/** Signs a payload text as it is. */
function compactText(device: Device, body: string): string {
  const input = `${device.prepare().token.split('.')[0] ?? ''}.${b64u(body)}`;
  return `${input}.${signature(device.key, input).toString('base64url')}`;
}
