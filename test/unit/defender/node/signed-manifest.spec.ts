import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { CompactSign, decodeProtectedHeader, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createManifest,
  signManifest,
  tamperProbe,
  verifyManifest,
  type Manifest,
} from '../../../../lib/defender/node/index.js';
import { failure } from '../harness.js';

const ec = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve });
const ours = ec();
const pem = (key: KeyObject) =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }) as string;
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength });

let root: string;
let manifest: Manifest;
let file: string;
beforeEach(async () => {
  root = join(mkdtempSync(join(tmpdir(), 'tab-signed-')), 'app');
  mkdirSync(join(root, 'node_modules', 'x'), { recursive: true });
  writeFileSync(join(root, 'main.js'), 'main()');
  writeFileSync(join(root, 'node_modules', 'x', 'index.js'), 'x()');
  manifest = await createManifest(root);
  file = join(root, '..', 'manifest.jws');
});
afterEach(() => rmSync(join(root, '..'), { recursive: true, force: true }));

const run = (content: string, key = pem(ours.publicKey)) => {
  writeFileSync(file, content);
  return tamperProbe({ root, manifest: file, key }).run();
};
/** A JWS that is right unless a test says otherwise. */
const forge = (override: { alg?: string; typ?: string; payload?: object | string; key?: KeyObject } = {}) => {
  const { alg = 'ES256', typ = 'tab-manifest+jwt', payload = manifest, key = ours.privateKey } = override;
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return new CompactSign(new TextEncoder().encode(text)).setProtectedHeader({ alg, typ }).sign(key);
};

describe('a signed manifest', () => {
  it.each([
    ['ES256', ours],
    ['ES384', ec('P-384')],
    ['ES512', ec('P-521')],
    ['EdDSA', generateKeyPairSync('ed25519')],
    ['RS256', rsa(2048)],
  ])('is signed with %s by the kind of the key', async (alg, { privateKey, publicKey }) => {
    const signed = await signManifest(manifest, pem(privateKey), 1_700_000_000_999);
    expect(decodeProtectedHeader(signed)).toEqual({ alg, typ: 'tab-manifest+jwt' });
    for (const key of [pem(publicKey), publicKey, publicKey.export({ format: 'jwk' })]) {
      expect(await verifyManifest(`${signed}\n`, key)).toEqual({ ...manifest, iat: 1_700_000_000 });
    }
  });

  it.each<[string, () => string | KeyObject]>([
    [
      'an encrypted key',
      () => ours.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }) as string,
    ],
    ['a public key', () => pem(ours.publicKey)],
    ['a public key object', () => ours.publicKey],
    ['a short RSA key', () => pem(rsa(1024).privateKey)],
    ['another curve', () => pem(ec('secp256k1').privateKey)],
    ['X25519', () => pem(generateKeyPairSync('x25519').privateKey)],
    ['a broken key', () => pem(ours.privateKey).replace(/^.*\n./, '-----BEGIN PRIVATE KEY-----\nSECRET')],
    ['no key', () => ''],
  ])('is not signed with %s, which is not told', async (_, key) => {
    const error = await failure(signManifest(manifest, key()));
    expect(error).toMatchObject({ name: 'ManifestError', code: 'key_unusable' });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/SECRET|BEGIN/);
  });

  it.each<[string, () => Parameters<typeof verifyManifest>[1]]>([
    ['the private key', () => pem(ours.privateKey)],
    ['the private key as JWK', () => ours.privateKey.export({ format: 'jwk' })],
    ['the private key object', () => ours.privateKey],
    ['a secret', () => ({ kty: 'oct', k: 'AAAA' })],
    ['no key', () => 'x'],
    ['another curve', () => pem(ec('secp256k1').publicKey)],
  ])('is not checked with %s', async (_, key) => {
    const signed = await signManifest(manifest, ours.privateKey);
    expect(await failure(verifyManifest(signed, key()))).toMatchObject({ code: 'key_unusable' });
    expect(() => tamperProbe({ root, manifest: file, key: key() })).toThrow(/public key|Use a key/);
  });
});

describe('tamper with a key', () => {
  it('is clear with what the key signed, also above its folder', async () => {
    expect(await run(await signManifest(manifest, ours.privateKey))).toBe('clear');
    expect(await run(await forge())).toBe('clear');
  });

  it('sees a changed file', async () => {
    const signed = await signManifest(manifest, ours.privateKey);
    writeFileSync(join(root, 'main.js'), 'evil()');
    expect(await run(signed)).toBe('found');
  });

  it.each<[string, () => string | Promise<string>]>([
    ['that is not signed', () => JSON.stringify(manifest)],
    ['signed by another key', () => forge({ key: ec().privateKey })],
    ['signed with another algorithm', () => forge({ alg: 'RS256', key: rsa(2048).privateKey })],
    ['with alg none', () => new UnsecuredJWT({ ...manifest }).encode()],
    ['of another type', () => forge({ typ: 'JWT' })],
    ['that is something else', () => forge({ payload: { version: 1, files: {} } })],
    ['with a hash that is no text', () => forge({ payload: { ...manifest, files: { 'main.js': 1 } } })],
    ['that is no JSON', () => forge({ payload: 'x' })],
    ['that was changed', async () => (await forge()).replace(/\.(.)/, (_, c: string) => (c === 'e' ? '.f' : '.e'))],
    ['cut off', async () => (await forge()).slice(0, -8)],
    ['empty', () => ''],
  ])('a manifest %s was put in its place', async (_, content) => {
    expect(await run(await content())).toBe('found');
  });

  it('one made in memory is signed by nobody', async () => {
    expect(await tamperProbe({ root, manifest, key: pem(ours.publicKey) }).run()).toBe('found');
  });

  it('without a manifest it is unknown; a file that is missing is an error, which is never clear', async () => {
    const key = pem(ours.publicKey);
    expect(await tamperProbe({ root, key }).run()).toBe('unknown');
    await expect((async () => tamperProbe({ root, manifest: file, key }).run())()).rejects.toThrow('ENOENT');
  });

  it('a signed manifest without a key is an error, which is never clear', async () => {
    writeFileSync(file, await forge());
    await expect((async () => tamperProbe({ root, manifest: file }).run())()).rejects.toThrow(SyntaxError);
  });
});

describe('what a manifest covers', () => {
  const all = async () => signManifest(await createManifest(root, { exclude: ['.git'] }), ours.privateKey);

  it('can be the dependencies too', async () => {
    const signed = await all();
    expect(await run(signed)).toBe('clear');
    writeFileSync(join(root, 'node_modules', 'x', 'index.js'), 'evil()');
    expect(await run(signed)).toBe('found');
  });

  it('can leave one path out, and only there', async () => {
    const own = await createManifest(root, { exclude: ['/main.js'] });
    expect(Object.keys(own.files)).toEqual(['node_modules/x/index.js']);
    const deep = await createManifest(root, { exclude: ['/node_modules/x/index.js'] });
    expect(Object.keys(deep.files)).toEqual(['main.js']);
    expect(Object.keys((await createManifest(root, { exclude: ['/index.js'] })).files)).toHaveLength(2);
  });

  it('has large files whole', async () => {
    writeFileSync(join(root, 'large.wasm'), Buffer.alloc(3_000_000, 1));
    const before = await createManifest(root);
    const bytes = Buffer.alloc(3_000_000, 1);
    bytes[2_999_999] = 2;
    writeFileSync(join(root, 'large.wasm'), bytes);
    expect((await createManifest(root)).files['large.wasm']).not.toBe(before.files['large.wasm']);
    expect(before.files['large.wasm']).toBe('GgwhhOvq6xrHlJ0QaZ5yjpIY2c80DKmc2UEkE80H5Zk');
  });

  it('the public key is enough to check it', async () => {
    const spki = createPublicKey(ours.privateKey);
    expect((await verifyManifest(await all(), spki)).version).toBe(1);
  });
});
