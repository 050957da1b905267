import { createECDH, createHmac, type JsonWebKey } from 'node:crypto';
import { CompactEncrypt, importJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { makeRecipient, openProofKey, recipientThumbprint } from '../../../lib/defender/proof-key-jwe.js';
import { thumbprint } from '../../../lib/token/mint.js';
import { concatKdf, grant, type Grant } from './fake-proof-keys.js';

const ID = 'i'.repeat(43);
const DATA = Buffer.from('what is signed');
const macs = async (key: CryptoKey) => Buffer.from(await crypto.subtle.sign('HMAC', key, DATA));

async function opened(wish: Grant = {}) {
  const { privateKey, publicKey } = await makeRecipient();
  const given = grant(ID, publicKey as JsonWebKey, wish);
  const parties = { instanceId: ID, recipient: await thumbprint(publicKey) };
  return { given, open: () => openProofKey(String(given.body['jwe']), privateKey, parties) };
}

describe('the JWE of a proof key', () => {
  it('is opened, and the key stays inside', async () => {
    const { given, open } = await opened();
    const key = await open();
    expect(key).toMatchObject({ type: 'secret', extractable: false, usages: ['sign'], algorithm: { name: 'HMAC' } });
    await expect(crypto.subtle.exportKey('raw', key)).rejects.toThrow();
    expect(await macs(key)).toEqual(createHmac('sha256', given.key).update(DATA).digest());
  });

  it('is opened as jose makes it', async () => {
    const { privateKey, publicKey } = await makeRecipient();
    const octets = Buffer.alloc(32, 7);
    const recipient = await thumbprint(publicKey);
    const jwe = await new CompactEncrypt(octets)
      .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' })
      .setKeyManagementParameters({ apu: Buffer.from(ID), apv: Buffer.from(recipient) })
      .encrypt(await importJWK(publicKey, 'ECDH-ES'));
    const key = await openProofKey(jwe, privateKey, { instanceId: ID, recipient });
    expect(await macs(key)).toEqual(createHmac('sha256', octets).update(DATA).digest());
  });

  it('has a recipient key of its own each time', async () => {
    const [one, other] = [await makeRecipient(), await makeRecipient()];
    expect(one.publicKey.x).not.toBe(other.publicKey.x);
    expect(one.privateKey.extractable).toBe(false);
    expect(Object.keys(one.publicKey)).toEqual(['kty', 'crv', 'x', 'y']);
    expect(await recipientThumbprint(one.publicKey)).toBe(await thumbprint(one.publicKey));
  });

  it.each<[string, Grant]>([
    ['another instance in the header', { header: { apu: Buffer.from('j'.repeat(43)).toString('base64url') } }],
    ['another instance all through', { apu: 'j'.repeat(43) }],
    ['another recipient in the header', { header: { apv: Buffer.from('r'.repeat(43)).toString('base64url') } }],
    ['another recipient all through', { apv: 'r'.repeat(43) }],
    ['no apu', { header: { apu: undefined } }],
    ['no apv', { header: { apv: undefined } }],
    ['another key agreement', { header: { alg: 'ECDH-ES+A256KW' } }],
    ['a shared key', { header: { alg: 'dir' } }],
    ['another encryption', { header: { enc: 'A128GCM' } }],
    ['compression', { header: { zip: 'DEF' } }],
    ['critical members', { header: { crit: ['exp'], exp: 1 } }],
    ['no ephemeral key', { header: { epk: undefined } }],
    [
      'an ephemeral key of another curve',
      { header: { epk: { kty: 'EC', crv: 'P-384', x: 'A'.repeat(64), y: 'A'.repeat(64) } } },
    ],
    [
      'an ephemeral key off the curve',
      { header: { epk: { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) } } },
    ],
    ['31 octets', { key: Buffer.alloc(31) }],
    ['33 octets', { key: Buffer.alloc(33) }],
    ['no octets', { key: Buffer.alloc(0) }],
    ['an encrypted key', { change: (jwe) => jwe.replace('..', '.AAAA.') }],
    ['a sixth part', { change: (jwe) => `${jwe}.AAAA` }],
    ['a part less', { change: (jwe) => jwe.slice(0, jwe.lastIndexOf('.')) }],
    ['a short tag', { change: (jwe) => jwe.slice(0, -6) }],
    ['nothing', { change: () => '' }],
  ])('is refused with %s', async (_what, wish) => {
    const { open } = await opened(wish);
    await expect(open()).rejects.toThrow();
  });

  it('is refused with any octet changed', async () => {
    const { given } = await opened();
    const jwe = String(given.body['jwe']);
    const { privateKey, publicKey } = await makeRecipient();
    const own = grant(ID, publicKey as JsonWebKey);
    const parties = { instanceId: ID, recipient: await thumbprint(publicKey) };
    // For another recipient, as a whole.
    await expect(openProofKey(jwe, privateKey, parties)).rejects.toThrow();
    const text = String(own.body['jwe']);
    await expect(openProofKey(text, privateKey, parties)).resolves.toBeDefined();
    const at = text.indexOf('..') + 2;
    for (let index = at; index < text.length; index += 1) {
      // Not the last character of a part: its spare bits say nothing.
      if (text[index] === '.' || (text[index + 1] ?? '.') === '.') continue;
      const changed = text.slice(0, index) + (text[index] === 'A' ? 'B' : 'A') + text.slice(index + 1);
      await expect(openProofKey(changed, privateKey, parties), String(index)).rejects.toThrow();
    }
  });
});

describe('the Concat KDF that these tests are held to', () => {
  // The keys of RFC 7518 appendix C; for A256GCM, whose result is not there, by another program that gives the appendix's own for A128GCM.
  it('is that of section 4.6.2', () => {
    const alice = createECDH('prime256v1');
    alice.setPrivateKey(Buffer.from('0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo', 'base64url'));
    const bob = Buffer.concat([
      Buffer.from([4]),
      Buffer.from('weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ', 'base64url'),
      Buffer.from('e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck', 'base64url'),
    ]);
    const secret = alice.computeSecret(bob);
    expect([...secret.subarray(0, 4)]).toEqual([158, 86, 217, 29]);
    expect(concatKdf(secret, 'Alice', 'Bob').toString('hex')).toBe(
      'fd5a6362ee2ef39e51d8a9ddb2c98507390b5a8f6a3bc14af47c47d1b58e3b60',
    );
  });
});
