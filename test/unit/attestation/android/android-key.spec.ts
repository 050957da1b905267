import { describe, expect, it } from 'vitest';
import { androidKeyAttestation } from '../../../../lib/attestation/android/android-key.js';
import type { AndroidRevocation } from '../../../../lib/attestation/android/revocation.js';
import type { AndroidKeyAttestationOptions } from '../../../../lib/attestation/android/settings.js';
import { AttestationError } from '../../../../lib/attestation/attestation-error.js';
import type { AttestationInput } from '../../../../lib/attestation/attester.js';
import { TabConfigError, TabError } from '../../../../lib/errors/tab-error.js';
import { findContradiction } from '../../../../lib/trust/contradiction.js';
import { aChain, aKey, anInput, CHALLENGE, checkOf, DIGEST, NOW, PACKAGE, ROOTS } from './android.fixture.js';

const options = (changed: Partial<AndroidKeyAttestationOptions> = {}): AndroidKeyAttestationOptions => ({
  packageName: PACKAGE,
  signatureDigests: [DIGEST],
  roots: ROOTS,
  revocation: 'unchecked',
  ...changed,
});
const attester = (changed: Partial<AndroidKeyAttestationOptions> = {}) => androidKeyAttestation(options(changed));
const verdict = (input: Partial<AttestationInput>) => checkOf(() => attester().examine(anInput(input)));

describe('androidKeyAttestation', () => {
  it('is the format android-key, up to strongbox', () => {
    expect(attester()).toMatchObject({ format: 'android-key', reach: 'strongbox' });
  });

  it.each(['tee', 'strongbox'] as const)('gives the assurance of the hardware: %s', async (securityLevel) => {
    const statement = { x5c: aChain({ securityLevel, versionCode: 7 }) };
    const result = await attester({ maxAge: 60 }).examine(anInput({ statement }))();
    expect(result).toMatchObject({
      format: 'android-key',
      assurance: securityLevel,
      keyBound: true,
      app: { id: 'bank.android' },
      expiresAt: NOW / 1000 + 60,
      claims: {
        securityLevel,
        verifiedBootState: 'VERIFIED',
        deviceLocked: true,
        osPatchLevel: 202_504,
        emulator: false,
        provisioning: 'rkp',
        packageName: PACKAGE,
        appVersionCode: 7,
      },
    });
    expect(result.claims).toEqual(JSON.parse(JSON.stringify(result.claims)));
    expect(result.claims).not.toHaveProperty('appVersion');
  });

  it('counts for thirty days unless told otherwise', async () => {
    expect((await attester().examine(anInput())()).expiresAt).toBe(NOW / 1000 + 30 * 86_400);
  });

  it('takes either binding as the challenge, and no other', () => {
    const other = Buffer.alloc(32, 9);
    expect(verdict({ binding: CHALLENGE, keylessBinding: other })).toBe('passes');
    expect(verdict({ binding: other, keylessBinding: CHALLENGE })).toBe('passes');
    expect(verdict({ binding: other, keylessBinding: other })).toBe('challenge');
  });

  it('refuses an attestation of another key, and a key that is not for signing only', () => {
    expect(verdict({ statement: { x5c: aChain({ publicKey: aKey() }) } })).toBe('instance-key');
    for (const purpose of [[], [3], [7], [2, 7], [1, 2]])
      expect(verdict({ statement: { x5c: aChain({ purpose }) } })).toBe('key-use');
    expect(verdict({ statement: { x5c: aChain({ purpose: [2] }) } })).toBe('passes');
  });

  it('takes the configured app only', () => {
    expect(verdict({ statement: { x5c: aChain({ packageName: 'com.example.other' }) } })).toBe('application');
    expect(verdict({ statement: { x5c: aChain({ signatureDigest: '00'.repeat(32) }) } })).toBe('signing-certificate');
  });

  it.each([
    undefined,
    null,
    'x5c',
    [],
    {},
    { x5c: null },
    { x5c: 'AA==' },
    { x5c: [1, 2] },
    { x5c: [{}, {}] },
    { x5c: [new Uint8Array(4), new Uint8Array(4)] },
    { x5c: ['', ''] },
    { x5c: ['AAAA\n', 'AAAA'] },
    { x5c: ['AAAA====', 'AAAA'] },
    { x5c: ['_-8=', 'AAAA'] },
    { x5c: ['AB==', 'AAAA'] },
    JSON.parse('{"__proto__": {"x5c": ["AAAA", "AAAA"]}}') as unknown,
  ])('refuses the statement %j', (statement) => expect(verdict({ statement })).toBe('statement'));

  it('refuses base64 with line breaks, and hex, of a chain that passes otherwise', () => {
    const [leaf = '', ...above] = aChain();
    expect(verdict({ statement: { x5c: [`${leaf.slice(0, 64)}\n${leaf.slice(64)}`, ...above] } })).toBe('statement');
    expect(verdict({ statement: { x5c: [Buffer.from(leaf, 'base64').toString('hex'), ...above] } })).not.toBe('passes');
  });

  it('marks an emulator, so that evidence of a real device contradicts it', async () => {
    const lenient = attester({ policy: { allowSoftware: true, allowUnverifiedBoot: true } });
    const input = anInput({ statement: { x5c: aChain({ securityLevel: 'software', verifiedBootState: null }) } });
    const { claims, assurance } = await lenient.examine(input)();
    expect([assurance, claims['emulator']]).toEqual(['software', true]);
    const rt = { at: NOW / 1000, found: [], clear: ['emulator'], sdk: 'test/1' };
    const judged = {
      claims: { rt, app: { id: 'bank.android', ver: '1.0.0' } },
      instance: { attestationClaims: claims, createdAt: NOW / 1000 },
    } as unknown as Parameters<typeof findContradiction>[0];
    expect(findContradiction(judged)).toContain('emulator');
  });
});

describe('revocation', () => {
  const revoking = (isRevoked: (serial: string) => boolean): AndroidRevocation => ({
    load: () => Promise.resolve(isRevoked),
  });

  it('is judged in the second phase, with nothing asked in the first', async () => {
    let loads = 0;
    const revocation: AndroidRevocation = {
      load: () => {
        loads += 1;
        return Promise.resolve(() => true);
      },
    };
    const finish = attester({ revocation }).examine(anInput());
    expect(loads).toBe(0);
    await expect(finish()).rejects.toMatchObject({ name: 'AttestationError', check: 'revoked' });
    await expect(finish()).rejects.toBeInstanceOf(AttestationError);
  });

  it('lets a chain through of which nothing is revoked', async () => {
    await expect(attester({ revocation: revoking(() => false) }).examine(anInput())()).resolves.toBeDefined();
  });

  it('passes on that the list cannot be had', async () => {
    const down: AndroidRevocation = { load: () => Promise.reject(new TabError('store_unavailable', 'down')) };
    const finish = attester({ revocation: down }).examine(anInput());
    await expect(finish()).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});

describe('options that cannot work', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['no packageName', { ...options(), packageName: undefined }],
    ['a packageName of one part', options({ packageName: 'bank' })],
    ['no signatureDigests', { ...options(), signatureDigests: undefined }],
    ['an empty list of them', options({ signatureDigests: [] })],
    ['a digest that is none', options({ signatureDigests: ['SHA-256'] })],
    ['no roots in the list', options({ roots: [] })],
    ['a root that is none', options({ roots: ['-----BEGIN CERTIFICATE-----'] })],
    ['a revocation that is none', { ...options(), revocation: 'off' }],
    ['a policy that is none', { ...options(), policy: 'lenient' }],
    ['a flag that is no flag', { ...options(), policy: { allowUnlocked: 'false' } }],
    ['a floor that is no number', { ...options(), policy: { minOsVersion: '13' } }],
    ['a patch level with a day', options({ policy: { minOsPatchLevel: 20_250_405 } })],
    ['a patch level without a month', options({ policy: { minOsPatchLevel: 202_500 } })],
    ['maxAge of nothing', options({ maxAge: 0 })],
  ])('%s', (_what, given) => {
    expect(() => androidKeyAttestation(given as AndroidKeyAttestationOptions)).toThrow(TabConfigError);
  });

  it('and the default trusts Google alone', () => {
    const byDefault = androidKeyAttestation({ packageName: PACKAGE, signatureDigests: [DIGEST] });
    expect(checkOf(() => byDefault.examine(anInput()))).toBe('trust-anchor');
  });
});
