import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createDefender, DEFENDER_SDK, memoryKeyStore, type DefenderOptions } from '../../../lib/defender/index.js';
import { optionsFor } from './harness.js';

const make = (override: Record<string, unknown>) =>
  createDefender(optionsFor('https://api.example.com', override as Partial<DefenderOptions>));

describe('options', () => {
  it.each<[string, Record<string, unknown>]>([
    ['api', { api: [] }],
    ['api', { api: 'api.example.com' }],
    ['api', { api: 'ftp://api.example.com' }],
    ['api', { api: 'https://u:p@api.example.com' }],
    ['api', { api: 'https://api.example.com?x' }],
    ['api', { api: 'https://api.example.com#x' }],
    ['api', { api: 'http://api.example.com' }],
    ['api', { api: ['https://api.example.com', 'http://10.0.0.1'] }],
    ['prefix', { prefix: 'tab' }],
    ['prefix', { prefix: '/tab/' }],
    ['prefix', { prefix: '/t?b' }],
    ['app', { app: undefined }],
    ['app.id', { app: { id: 'a b', ver: '1.0.0', platform: 'x' } }],
    ['app.ver', { app: { id: 'a', ver: '1.0', platform: 'x' } }],
    ['app.ver', { app: { id: 'a', ver: '1.0.01', platform: 'x' } }],
    ['app.platform', { app: { id: 'a', ver: '1.0.0-rc.1+b' } }],
    ['keyStore', { keyStore: undefined }],
    ['keyStore', { keyStore: { ...memoryKeyStore(), clear: undefined } }],
    ['probes', { probes: undefined }],
    ['probes', { probes: [{ name: 'Root', run: () => 'clear' }] }],
    ['probes', { probes: [{ name: 'root' }] }],
    ['probes', { probes: [null] }],
    ['attester', { attester: { format: 'x' } }],
    ['sdk', { sdk: '' }],
    ['sdk', { sdk: 'é' }],
    ['sdk', { sdk: 'x'.repeat(65) }],
    ['evidenceMaxAge', { evidenceMaxAge: 301 }],
    ['evidenceMaxAge', { evidenceMaxAge: Number.NaN }],
    ['probeTimeout', { probeTimeout: 0 }],
    ['enrolTimeout', { enrolTimeout: Number.POSITIVE_INFINITY }],
    ['reenrolWait', { reenrolWait: 30_001 }],
    ['remeasureOn', { remeasureOn: 'focus' }],
    ['onDecision', { onDecision: {} }],
    ['credentialCookie', { credentialCookie: '' }],
    ['credentialCookie', { credentialCookie: 'a=b' }],
    ['proofKeys', { proofKeys: 'always' }],
    ['proofKeys', { proofKeys: null }],
    ['boundHeaders', { boundHeaders: ['a b'] }],
    ['boundHeaders', { boundHeaders: ['TAB-Token'] }],
  ])('%s: %o is refused by name', (name, override) => {
    expect(() => make(override)).toThrow(TypeError);
    expect(() => make(override)).toThrow(`Defender option ${name}`);
  });

  it.each<[Record<string, unknown>]>([
    [{ api: new URL('https://api.example.com/gw/') }],
    [{ api: ['https://a.example', 'https://a.example/', 'http://localhost:3000'] }],
    [{ api: 'http://10.0.0.1', allowPlainHttp: true }],
    [{ probes: [], evidenceMaxAge: 0 }],
    [{ proofKeys: 'session' }],
    [{ proofKeys: false }],
  ])('%o is taken', (override) => {
    expect(make(override).instanceId).toBeUndefined();
  });

  it('the sdk names the version of the package', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
    expect(DEFENDER_SDK).toBe(`nestjs-tab/${version}`);
  });

  it('the key in memory cannot be exported', async () => {
    const { privateKey } = await memoryKeyStore().loadKey();
    expect(privateKey.extractable).toBe(false);
    await expect(crypto.subtle.exportKey('jwk', privateKey)).rejects.toThrow();
  });
});
