import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Logger } from '@nestjs/common';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { memoryStores } from '../../../lib/stores/memory/index.js';
import type { TabAppOptions, TabOptions } from '../../../lib/tab-options.js';
import { TabRuntime } from '../../../lib/tab-runtime.js';
import { aKey, anInstanceOf, NOW, SECRET, TestClock } from '../../utils/core/index.js';

const APP: TabAppOptions = { id: 'com.example.app', platform: 'android', allowUnattested: true };
const attester = { format: 'fake', reach: 'tee', examine: () => () => Promise.reject(new Error('x')) } as const;

/** Options that name everything which production asks for. */
const options = (change: Partial<Record<keyof TabOptions, unknown>> = {}): TabOptions =>
  ({
    origins: 'https://api.example.com',
    apps: [APP],
    secrets: [SECRET],
    stores: memoryStores(),
    ...change,
  }) as TabOptions;
const app = (change: Partial<Record<keyof TabAppOptions, unknown>>) => options({ apps: [{ ...APP, ...change }] });
const lookup = () => {
  throw new Error('not asked');
};

let warnings: string[];
beforeEach(() => {
  warnings = [];
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((message: unknown) => void warnings.push(String(message)));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

describe('options that are left out', () => {
  it('have the documented defaults', () => {
    const runtime = new TabRuntime(options());
    expect(runtime).toMatchObject({
      window: { lifetime: 60, tolerance: 5 },
      credential: {},
      limits: { enrolmentsPerMinute: 60, challengesPerMinute: 240 },
      challengeLifetime: 300,
      storeTimeout: 5000,
      keyCacheSize: 10_000,
      sweepInterval: 30_000,
      exposeDetail: false,
      verifiesCredentials: false,
    });
    expect([...runtime.algorithms]).toEqual(['ES256']);
    expect(runtime.clock).toBe(Date.now);
    expect(runtime.apps.get('com.example.app')).toEqual({
      id: 'com.example.app',
      platform: 'android',
      minVersion: null,
      probes: [],
      suspendOn: [],
      attesters: new Map(),
      allowUnattested: true,
      allowDowngrade: false,
      attestationMaxAge: 30 * 86_400,
    });
    expect(warnings).toEqual([]);
  });

  it('keep ES256 among the algorithms', () =>
    expect([...new TabRuntime(options({ algorithms: ['EdDSA'] })).algorithms]).toEqual(['ES256', 'EdDSA']));

  it('need no permission to enrol unattested where there is an attester', () =>
    expect(new TabRuntime(app({ allowUnattested: undefined, attestation: [attester] })).apps.get(APP.id)).toMatchObject(
      { allowUnattested: false },
    ));

  it('take one origin for a list of one', () =>
    expect(new TabRuntime(options({ origins: ['https://a.example', 'https://b.example'] })).origins.all).toHaveLength(
      2,
    ));

  it('derive the limit of challenges', () =>
    expect(new TabRuntime(options({ limits: { enrolmentsPerMinute: 5 } })).limits).toEqual({
      enrolmentsPerMinute: 5,
      challengesPerMinute: 20,
    }));

  it('take a function for a credential verifier', () => {
    const verify = () => undefined;
    expect(new TabRuntime(options({ credential: verify }))).toMatchObject({
      credential: { verify },
      verifiesCredentials: true,
    });
    expect(new TabRuntime(options({ credential: { cookie: 'session' } })).verifiesCredentials).toBe(false);
  });

  it.each(['enforce', 'monitor'])('mode %s is one', (mode) =>
    expect(() => new TabRuntime(options({ mode }))).not.toThrow(),
  );
});

describe('bad options fail with a message that says what to write', () => {
  it.each<[string, TabOptions, RegExp]>([
    ['no origins', options({ origins: undefined }), /^origins: name what clients address/],
    ['an empty list of origins', options({ origins: [] }), /^origins: name at least one/],
    [
      'an origin that is none',
      options({ origins: 'api.example.com' }),
      /^origins: 'api\.example\.com' is not an origin; write it like/,
    ],
    ['an origin without TLS', options({ origins: 'http://api.example.com' }), /^origins: .* is not https/],
    ['an origin that is a number', options({ origins: [5] }), /^origins: '5' is not an origin/],
    ['no apps', options({ apps: undefined }), /^apps: register at least one/],
    ['an empty list of apps', options({ apps: [] }), /^apps: register at least one/],
    ['apps as an object', options({ apps: APP }), /^apps: register at least one/],
    ['an app that is null', options({ apps: [null] }), /id must be 1–128/],
    ['an app twice', options({ apps: [APP, APP] }), /^apps: 'com\.example\.app' is there twice/],
    ['an app id with a space', app({ id: 'a b' }), /^apps\['a b'\]: id must be 1–128/],
    ['no app id', app({ id: undefined }), /id must be 1–128/],
    ['no platform', app({ platform: undefined }), /platform must be a lower-case name such as 'android'/],
    ['a platform in upper case', app({ platform: 'Android' }), /platform must be a lower-case name/],
    ['a bad minVersion', app({ minVersion: '1.0' }), /minVersion must be a SemVer 2\.0\.0 version such as '1\.4\.0'/],
    [
      'an unknown probe',
      app({ probes: ['rooted'] }),
      /^apps\['com\.example\.app'\]\.probes: 'rooted' is not a threat name/,
    ],
    ['a probe that is a number', app({ probes: [1] }), /probes: '1' is not a threat name/],
    ['an unknown suspending threat', app({ suspendOn: ['Root'] }), /suspendOn: 'Root' is not a threat name/],
    [
      'no way to enrol',
      app({ allowUnattested: false }),
      /no instance could enrol; list attestation formats, or say allowUnattested: true/,
    ],
    ['permission as text', app({ allowUnattested: 'true' }), /no instance could enrol/],
    ['an attester that is none', app({ attestation: [{}] }), /every entry must be an attester/],
    ['a format twice', app({ attestation: [attester, attester] }), /"fake" is given twice/],
    ['a format named none', app({ attestation: [{ ...attester, format: 'none' }] }), /not "none"/],
    ['an attestation age of 0', app({ attestationMaxAge: 0 }), /attestationMaxAge: write a whole number from 60 to/],
    [
      'an unknown algorithm',
      options({ algorithms: ['HS256'] }),
      /^algorithms: 'HS256' is not one of ES256, ES384, EdDSA, PS256, RS256/,
    ],
    ['algorithm none', options({ algorithms: ['none'] }), /^algorithms: 'none' is not one of/],
    ['a lifetime of 0', options({ token: { lifetime: 0 } }), /^token\.lifetime: write a whole number from 1 to 120/],
    ['a lifetime of 121', options({ token: { lifetime: 121 } }), /^token\.lifetime: /],
    ['a lifetime that is NaN', options({ token: { lifetime: NaN } }), /^token\.lifetime: /],
    [
      'a tolerance of 16',
      options({ token: { tolerance: 16 } }),
      /^token\.tolerance: write a whole number from 0 to 15/,
    ],
    ['a negative tolerance', options({ token: { tolerance: -1 } }), /^token\.tolerance: /],
    [
      'a challenge lifetime of 29',
      options({ challengeLifetime: 29 }),
      /^challengeLifetime: write a whole number from 30 to 3600/,
    ],
    ['a challenge lifetime of 3601', options({ challengeLifetime: 3601 }), /^challengeLifetime: /],
    ['a store timeout of 0', options({ storeTimeout: 0 }), /^storeTimeout: write a whole number from 1 to 60000/],
    ['a store timeout as text', options({ storeTimeout: '5' }), /^storeTimeout: /],
    ['no room for keys', options({ keyCacheSize: 0 }), /^keyCacheSize: /],
    ['a negative sweep interval', options({ sweepInterval: -1 }), /^sweepInterval: /],
    ['a limit of 0', options({ limits: { enrolmentsPerMinute: 0 } }), /^limits\.enrolmentsPerMinute: /],
    ['half a limit', options({ limits: { challengesPerMinute: 0.5 } }), /^limits\.challengesPerMinute: /],
    [
      'a misspelt option',
      options({ polices: {} } as never),
      /^TabModule options: unknown member 'polices'; write one of /,
    ],
    [
      'a misspelt member of an app',
      app({ suspendon: ['root'] } as never),
      /^apps\['com\.example\.app'\]: unknown member 'suspendon'/,
    ],
    ['a misspelt member of token', options({ token: { lifeTime: 30 } }), /^token: unknown member 'lifeTime'/],
    [
      'a misspelt limit',
      options({ limits: { enrolmentPerMinute: 5 } }),
      /^limits: unknown member 'enrolmentPerMinute'/,
    ],
    [
      'a misspelt member of credential',
      options({ credential: { verifier: 1 } }),
      /^credential: unknown member 'verifier'/,
    ],
    ['a clock that is none', options({ clock: 5 }), /^clock: write a function/],
    ['a clock of dates', options({ clock: () => new Date(NaN) }), /^clock: write a function that returns milliseconds/],
    ['an unknown mode', options({ mode: 'off' }), /^mode: write one of 'enforce', 'monitor'/],
    ['an unknown signature mode', options({ signature: 'gpu' }), /^signature: write one of 'auto', 'sync', 'pool'/],
    ['a credential that is null', options({ credential: null }), /^credential: write a function, or/],
    ['a credential that is text', options({ credential: 'jwt' }), /^credential: write a function, or/],
    [
      'a cookie name with a space',
      options({ credential: { cookie: 'a b' } }),
      /^credential\.cookie: not a cookie name/,
    ],
    ['an empty cookie name', options({ credential: { cookie: '' } }), /^credential\.cookie: not a cookie name/],
    ['a verifier that is none', options({ credential: { verify: 'x' } }), /^credential\.verify: write a function/],
    [
      'an empty list of secrets',
      options({ secrets: [] }),
      /^secrets: write a list of at least one secret, or 'random'/,
    ],
    ['a secret instead of a list', options({ secrets: SECRET }), /^secrets: write a list/],
    [
      'a short secret',
      options({ secrets: ['hunter2'] }),
      /^secrets: each needs at least 32 octets; make one with: openssl rand/,
    ],
    ['one short secret of two', options({ secrets: [SECRET, 'hunter2'] }), /^secrets: each needs at least 32 octets/],
  ])('%s', (_what, given, message) => {
    const call = () => new TabRuntime(given);
    expect(call).toThrow(TabConfigError);
    expect(call).toThrow(message);
  });

  it('never quotes a secret', () =>
    expect(() => new TabRuntime(options({ secrets: ['hunter2'] }))).not.toThrow(/hunter2/));
});

describe('defaults that suit one machine only', () => {
  const bare = () => options({ secrets: undefined, stores: undefined });

  it.each(['', 'development', 'test', 'Production'])('warn with NODE_ENV=%j', (environment) => {
    vi.stubEnv('NODE_ENV', environment);
    expect(() => new TabRuntime(bare())).not.toThrow();
    expect(warnings.some((message) => message.startsWith('secrets: '))).toBe(true);
    expect(warnings.some((message) => message.startsWith('stores: '))).toBe(true);
  });

  it.each<[string, Partial<Record<keyof TabOptions, unknown>>, RegExp]>([
    ['secrets', { secrets: undefined }, /^secrets: .*or say secrets: 'random'/],
    ['stores', { stores: undefined }, /^stores: .*or say stores: memoryStores\(\)/],
  ])('%s: refused in production', (_what, change, message) => {
    vi.stubEnv('NODE_ENV', 'production');
    expect(() => new TabRuntime(options(change))).toThrow(TabConfigError);
    expect(() => new TabRuntime(options(change))).toThrow(message);
  });

  it('are taken in production where they are named, without a word', () => {
    vi.stubEnv('NODE_ENV', 'production');
    expect(() => new TabRuntime(options({ secrets: 'random', stores: memoryStores() }))).not.toThrow();
    expect(warnings).toEqual([]);
  });

  it('never put a secret into a warning', () => {
    const runtime = new TabRuntime(bare());
    expect(runtime.challengeLifetime).toBe(300);
    expect(warnings.join()).not.toMatch(/[A-Za-z0-9+/_-]{40}/);
  });
});

describe('TabRuntime', () => {
  it('has no stores before it has started', () => {
    const runtime = new TabRuntime(options());
    for (const member of ['nonces', 'bindings', 'challenges'] as const)
      expect(() => runtime[member]).toThrow(/has not initialised/);
  });

  it('starts with stores, or a factory of them', async () => {
    const stores = memoryStores();
    let asked = 0;
    for (const given of [stores, { create: () => stores }, { create: () => Promise.resolve(stores) }]) {
      const runtime = new TabRuntime(options({ stores: given }));
      await runtime.start(lookup);
      // Stores may be wrapped to be measured: what counts is that these are the ones asked.
      const key = String((asked += 1)).padStart(22, 'k');
      const later = Math.floor(Date.now() / 1000) + 100;
      expect(await runtime.nonces.claim(key, later)).toBe(true);
      expect(await stores.nonces.claim(key, later)).toBe(false);
      expect(runtime.nonces.volatility).toEqual(stores.nonces.volatility);
      await runtime.bindings.saveInstance(anInstanceOf(aKey(), { id: key }));
      expect((await stores.bindings.load({ instanceId: key })).instance?.id).toBe(key);
    }
  });

  it.each([
    {},
    { nonces: memoryStores().nonces },
    { bindings: memoryStores().bindings },
    { create: () => undefined },
    { create: () => ({}) },
  ])('does not start with half a store: %#', async (stores) => {
    await expect(new TabRuntime(options({ stores })).start(lookup)).rejects.toThrow(/^stores: write memoryStores\(\)/);
  });

  it('gives challenges of another life no value', async () => {
    const clock = new TestClock();
    const start = async () => {
      const runtime = new TabRuntime(options({ stores: memoryStores({ clock: clock.read }) }));
      await runtime.start(lookup);
      return runtime;
    };
    const [first, second] = [await start(), await start()];
    const challenge = first.challenges.issue('request', NOW);
    expect(() => first.challenges.check(challenge, 'request', NOW)).not.toThrow();
    expect(() => second.challenges.check(challenge, 'request', NOW)).toThrow(/use_tab_nonce/);
  });
});
