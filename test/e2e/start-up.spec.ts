import { Controller, Get, Post } from '@nestjs/common';
import { RequireTrust, type ThreatName } from 'nestjs-tab';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BANK, createApp, type AppSetup } from '../utils/http/app.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { OpenController } from './controllers.js';

@Controller('reading')
class GetOnlyController {
  @RequireTrust({ session: 'none' })
  @Get()
  read(): object {
    return {};
  }
}

@Controller('streaming')
class StreamingController {
  @RequireTrust({ session: 'none', body: false })
  @Post()
  upload(): object {
    return {};
  }
}

/** A controller with one guarded handler, asking for what a test says. */
function guarded(...requirement: Parameters<typeof RequireTrust>) {
  @Controller('asking')
  class AskingController {
    @RequireTrust(...requirement)
    @Get()
    read(): object {
      return {};
    }
  }
  return AskingController;
}

type Refused = readonly [title: string, setup: AppSetup, message: RegExp];

/** What the types would not let pass, and JavaScript does. */
const ROOTED = ['rooted'] as unknown as readonly ThreatName[];

const WRONG: readonly Refused[] = [
  ['no origins', { tab: { origins: undefined } }, /origins: name what clients address/],
  ['an empty list of origins', { tab: { origins: [] } }, /origins: name at least one/],
  ['an http origin that is not loopback', { tab: { origins: 'http://bank.example' } }, /not https/],
  ['an origin with a query', { tab: { origins: 'https://bank.example/?a' } }, /not an origin/],
  ['the same origin twice', { tab: { origins: ['https://a.example', 'https://A.example:443'] } }, /there twice/],
  ['no apps', { tab: { apps: [] } }, /apps: register at least one/],
  ['an app that nobody could enrol with', { tab: { apps: [{ id: 'a', platform: 'ios' }] } }, /no instance could enrol/],
  ['an app twice', { tab: { apps: [BANK, BANK] } }, /there twice/],
  ['a short secret', { tab: { secrets: ['short'] } }, /at least 32 octets/],
  ['no secret in the list', { tab: { secrets: [] } }, /at least one secret/],
  [
    'an unknown policy',
    { controllers: [guarded('transfer')], tab: { policies: { login: {} } } },
    /no policy 'transfer'.*known: 'login'/,
  ],
  [
    'an unknown threat',
    { controllers: [guarded({ runtime: { require: ROOTED } })] },
    /'rooted' is not one of threat names/,
  ],
  ['an unknown threat of an app', { tab: { apps: [{ ...BANK, suspendOn: ROOTED }] } }, /'rooted' is not a threat name/],
  ['an unknown member', { controllers: [guarded({ sesion: 'none' } as never)] }, /unknown member 'sesion'/],
  ['an unknown choice', { tab: { policy: { challenge: 'always' as never } } }, /policy\.challenge: write one of/],
  [
    'an assurance that no format reaches',
    { controllers: [guarded({ assurance: 'tee' })] },
    /asks for assurance 'tee', which no attestation format/,
  ],
  [
    'evidence tied to the key where nobody can attest',
    { controllers: [guarded({ keyBound: true })] },
    /asks for a recent attestation, but no app has a format to attest with/,
  ],
  [
    'assertions that no format makes',
    { controllers: [guarded({ assertion: true })] },
    /asks for assertions, which no attestation format of any app makes/,
  ],
  ['a lifetime above the limit', { tab: { token: { lifetime: 121 } } }, /token\.lifetime/],
  ['a tolerance above the limit', { tab: { token: { tolerance: 16 } } }, /token\.tolerance/],
  ['an algorithm that never is one', { tab: { algorithms: ['HS256' as never] } }, /algorithms: 'HS256'/],
  ['an unknown mode', { tab: { mode: 'off' as never } }, /mode: write one of/],
  [
    'a body that is not kept',
    { controllers: [OpenController], rawBody: false, tab: { endpoints: false } },
    /rawBody: true/,
  ],
  ['an enrolment body that is not kept', { controllers: [GetOnlyController], rawBody: false }, /rawBody: true/],
];

describe.each(PLATFORMS)('start-up on $name', (platform) => {
  beforeEach(() => vi.stubEnv('NODE_ENV', 'test'));
  afterEach(() => vi.unstubAllEnvs());

  it.each(WRONG)('fails with %s, and says what to write', async (_title, setup, message) => {
    await expect(createApp(platform, setup)).rejects.toThrow(message);
  });

  it('needs no raw body where nothing binds one', async () => {
    for (const controller of [GetOnlyController, StreamingController]) {
      const app = await createApp(platform, { controllers: [controller], rawBody: false, tab: { endpoints: false } });
      await app.stop();
    }
  });

  it.each([
    [
      'memory stores that nobody named',
      { stores: undefined, secrets: ['a secret of thirty-two octets or more'] },
      /^stores: memory stores suit one process/,
    ],
    ['a random secret that nobody named', { secrets: undefined }, /^secrets: a random secret suits one process/],
  ] as const)('refuses %s in production, and warns elsewhere', async (_title, tab, message) => {
    vi.stubEnv('NODE_ENV', 'production');
    await expect(createApp(platform, { tab })).rejects.toThrow(message);
    vi.stubEnv('NODE_ENV', 'development');
    const app = await createApp(platform, { tab });
    expect(app.logs.lines.some((line) => message.test(line))).toBe(true);
    await app.stop();
  });

  it('allows both in production when they are named', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    const app = await createApp(platform, { tab: { secrets: 'random' } });
    expect(app.logs.lines.filter((line) => /suit/.test(line))).toEqual([]);
    await app.stop();
  });
});
