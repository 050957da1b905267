import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../../../lib/defender/bridge/base64.js';
import { spkiToJwk } from '../../../../lib/defender/bridge/index.js';
import { readPublicKey } from '../../../../lib/defender/bridge/public-key.js';

const pair = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve });
const spkiOf = (namedCurve?: string) => pair(namedCurve).publicKey.export({ type: 'spki', format: 'der' });
const { publicKey, privateKey } = pair();
const spki = publicKey.export({ type: 'spki', format: 'der' });
const jwk = publicKey.export({ format: 'jwk' });

describe('spkiToJwk', () => {
  it('gives the JWK that node:crypto gives', () => {
    for (let turn = 0; turn < 20; turn += 1) {
      const key = pair().publicKey;
      expect(spkiToJwk(key.export({ type: 'spki', format: 'der' }))).toEqual(key.export({ format: 'jwk' }));
    }
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['another curve', spkiOf('P-384')],
    ['a curve with keys of the same size', spkiOf('secp256k1')],
    ['an octet too many', Buffer.concat([spki, Buffer.alloc(1)])],
    ['an octet too few', spki.subarray(0, -1)],
    ['a compressed point', Buffer.from(spki).fill(2, 26, 27)],
    ['a changed prefix', Buffer.from(spki).fill(0, 25, 26).fill(1, 24, 25)],
    ['the bare point', spki.subarray(26)],
  ])('refuses %s', (_, octets) => expect(() => spkiToJwk(octets)).toThrow(TypeError));
});

describe('the public key that a bridge answers', () => {
  it('is taken as SPKI and as JWK', () => {
    expect(readPublicKey({ spki: spki.toString('base64') })).toEqual(jwk);
    expect(readPublicKey({ jwk: { ...jwk, use: 'sig' } })).toEqual(jwk);
  });

  it.each([
    ['null', null],
    ['text', spki.toString('base64')],
    ['neither', {}],
    ['both', { spki: spki.toString('base64'), jwk }],
    ['base64 with line breaks', { spki: spki.toString('base64').replace(/(.{76})/, '$1\n') }],
    ['base64url', { spki: `${spki.toString('base64url')}` }],
    ['a private key', { jwk: privateKey.export({ format: 'jwk' }) }],
    ['another curve', { jwk: pair('P-384').publicKey.export({ format: 'jwk' }) }],
    ['a short coordinate', { jwk: { ...jwk, x: String(jwk.x).slice(0, 42) } }],
    ['a coordinate with spare bits set', { jwk: { ...jwk, x: `${String(jwk.x).slice(0, 42)}B` } }],
    ['a coordinate in octets', { jwk: { ...jwk, x: [1, 2, 3] } }],
  ])('is refused: %s', (_, answer) => expect(() => readPublicKey(answer)).toThrow(TypeError));
});

describe('base64', () => {
  it('is what Node has, both ways, for every length', () => {
    for (let length = 1; length < 70; length += 1) {
      const octets = Buffer.alloc(length, 251 - length);
      expect(encodeBase64(octets)).toBe(octets.toString('base64'));
      expect(decodeBase64(octets.toString('base64'))).toEqual(new Uint8Array(octets));
    }
  });

  it.each([
    '',
    'A',
    'AA',
    'AAA',
    'AA=',
    'AB==',
    'AAB=',
    'AA==\n',
    ' AA==',
    'A-==',
    'A_==',
    'AA==AA==',
    '====',
    7,
    null,
  ])('refuses %j', (text) => expect(decodeBase64(text)).toBeUndefined());
});
