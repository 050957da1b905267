import { Body, Controller, Get, Headers, HttpCode, Post, UseGuards, Version, VersioningType } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import {
  RequireTrust,
  SkipTrust,
  TabDecisions,
  TabGuard,
  TabSessions,
  Trust,
  type TabOptions,
  type TrustContext,
  type TrustRequirement,
} from 'nestjs-tab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BANK, createApp, startApp, type TestApp } from '../utils/http/app.js';
import type { Call, Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal, expectRefusalHeaders } from '../utils/http/expectations.js';
import { digest } from '../utils/http/keys.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { OpenController, SessionController } from './controllers.js';

/*
 * Attacks that once worked, each made as its attacker would make it.
 */

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** What the parsers themselves refuse, before any guard is asked. */
const REFUSED_BY_PARSER = {
  // JSON in a charset that is no UTF; forms in any that is neither UTF-8 nor Latin-1.
  express: { [JSON_TYPE]: /iso-8859-1/, [FORM_TYPE]: /utf-7|utf-16/i },
  // Charsets are ignored; UTF-16 is no JSON then.
  fastify: { [JSON_TYPE]: /utf-16/, [FORM_TYPE]: /(?!)/ },
};

/** What a parser that believes the parameter reads as something else, or as itself; valid in that charset. */
const encoded = (text: string, charset: string): Buffer =>
  /utf-16/i.test(charset) ? Buffer.from(text, 'utf16le') : Buffer.from(text);

@Controller('echo')
class EchoController {
  @RequireTrust({ session: 'none' })
  @Post()
  @HttpCode(200)
  echo(@Body() body: unknown): object {
    return { body };
  }

  @RequireTrust({ session: 'none', headers: ['content-type'] })
  @Post('bound')
  @HttpCode(200)
  bound(@Body() body: unknown): object {
    return { body };
  }
}

describe.each(PLATFORMS)('parameters of a signed Content-Type on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    app = await startApp(platform, { controllers: [EchoController] });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  const bodies = { [JSON_TYPE]: '{"to":"+AEE-lice"}', [FORM_TYPE]: 'to=%2BAEE-lice' };
  const media = [JSON_TYPE, FORM_TYPE] as const;
  const READ = { body: { to: '+AEE-lice' } };

  /** Signed without the parameter, which is appended on the way. */
  const appended = (type: keyof typeof bodies, parameters: string, body: Buffer = Buffer.from(bodies[type])): Call => {
    const { wire } = device.prepare({ method: 'POST', target: '/echo', body, type });
    const headers = wire.headers.map(([name, value]): [string, string] =>
      name === 'Content-Type' ? [name, value + parameters] : [name, value],
    );
    return { method: 'POST', target: '/echo', body, type, wire: { headers } };
  };
  const exchangeOf = (call: Call) => device.send(call);

  it('is what a parser believes, which is why it has to be bound', async () => {
    const type = `${JSON_TYPE}; charset=utf-7`;
    const hd = { 'content-type': digest(type) };
    const call = { method: 'POST', target: '/echo/bound', body: bodies[JSON_TYPE], type, claims: { hd } };
    const answer = await device.send(call);
    expectAccepted(answer);
    // The same signed octets: Express's parser finds another recipient in them.
    expect(answer.json()).toEqual(platform.name === 'express' ? { body: { to: 'Alice' } } : READ);
  });

  // Charsets that the platform's parser takes, so that nothing but the verifier stands between them and the handler.
  it.each(
    media.flatMap((type) =>
      [
        '; charset=utf-7',
        ';charset=UTF-7',
        '; charset="utf-7"',
        '; x=y; charset=utf-7',
        '; charset=iso-8859-1',
        '; charset=utf-16',
      ].map((parameters) => [type, parameters] as const),
    ),
  )('%s%s appended: refused', async (type, parameters) => {
    const answer = await exchangeOf(appended(type, parameters, encoded(bodies[type], parameters)));
    // A parser that does not know the charset, or finds no document in it, may be the first to refuse.
    const byParser = [400, 415].includes(answer.status) && answer.header('tab-error') === undefined;
    if (!byParser) expectRefusal(answer, 'request_mismatch');
    expect(byParser).toBe(REFUSED_BY_PARSER[platform.name][type].test(parameters));
  });

  it.each(
    media.flatMap((type) =>
      ['', '; charset=utf-8', ';charset=UTF-8', '; Charset=Utf-8', '; charset="utf-8"', '; charset="UTF-8"'].map(
        (parameters) => [type, parameters] as const,
      ),
    ),
  )('%s%s: passes', async (type, parameters) => {
    const answer = await exchangeOf(appended(type, parameters));
    expectAccepted(answer);
    expect(answer.json()).toEqual(READ);
  });

  it.each(['; charset=utf-7', '; charset="utf-7"', '; boundary=x', '; profile=a; charset=utf-7'])(
    '%s: passes where the client has bound the field, and no other parameter then',
    async (parameters) => {
      const type = JSON_TYPE + parameters;
      const call = (value: string): Call => ({
        method: 'POST',
        target: '/echo',
        body: bodies[JSON_TYPE],
        type,
        claims: { hd: { 'content-type': digest(value) } },
      });
      expectAccepted(await device.send(call(type)));
      expectRefusal(await device.send(call(JSON_TYPE)), 'request_mismatch');
    },
  );

  it('has to be in hd where the policy names it', async () => {
    const call = { method: 'POST', target: '/echo/bound', body: bodies[JSON_TYPE] };
    expectRefusal(await device.send(call), 'request_mismatch');
  });
});

@SkipTrust()
class PublicBase {
  @Get('inherited')
  inherited(): object {
    return { handler: 'inherited' };
  }

  @SkipTrust()
  @Get('health')
  health(): object {
    return { handler: 'health' };
  }
}

@RequireTrust({ session: 'none' })
@Controller('guarded-again')
class GuardedAgain extends PublicBase {
  @Get('own')
  own(): object {
    return { handler: 'own' };
  }
}

@Controller('still-public')
class StillPublic extends PublicBase {}

@RequireTrust({ session: 'none' })
class GuardedBase {
  @Get('inherited')
  inherited(): object {
    return { handler: 'inherited' };
  }
}

@SkipTrust()
@Controller('let-out')
class LetOut extends GuardedBase {}

@SkipTrust()
@RequireTrust({ session: 'none' })
@Controller('both')
class Both {
  @Get()
  read(): object {
    return {};
  }
}

describe.each(PLATFORMS)('@SkipTrust() of a base class on $name', (platform) => {
  const controllers = [GuardedAgain, StillPublic, LetOut];
  describe.each([
    ['with APP_GUARD', [{ provide: APP_GUARD, useExisting: TabGuard }]],
    ['with decorators only', []],
  ])('%s', (_title, providers) => {
    let app: TestApp;
    beforeAll(async () => {
      app = await startApp(platform, { controllers, providers, tab: { policy: { session: 'none' } } });
    });
    afterAll(() => app.stop());

    it.each(['/guarded-again/inherited', '/guarded-again/own'])('does not open %s', async (target) => {
      const device = await app.device().enrolled();
      expectRefusal(await device.send({ target, tokens: () => [] }), 'missing_token');
      expectAccepted(await device.send({ target }));
    });

    it.each(['/guarded-again/health', '/still-public/inherited', '/let-out/inherited'])(
      'leaves %s out, where the nearest word says so',
      async (target) => expect((await app.device().send({ target, tokens: () => [] })).status).toBe(200),
    );
  });

  it('on the same class as @RequireTrust() does not start', async () => {
    await expect(createApp(platform, { controllers: [Both] })).rejects.toThrow(
      /^Both\.read: @SkipTrust\(\) and @RequireTrust\(\) stand on the same class or method; keep one/,
    );
  });
});

@Controller('transfers')
class VersionedController {
  @Version('1')
  @RequireTrust({ session: 'none', challenge: 'recent' })
  @Post()
  @HttpCode(200)
  recent(): object {
    return { handler: 'recent' };
  }

  @Version('2')
  @RequireTrust({ session: 'none', challenge: 'single-use' })
  @Post()
  @HttpCode(200)
  once(): object {
    return { handler: 'once' };
  }
}

describe.each(PLATFORMS)('one URL, two handlers by a header on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    app = await startApp(platform, {
      controllers: [VersionedController],
      configure: (nest) => nest.enableVersioning({ type: VersioningType.HEADER, header: 'x-api-version' }),
    });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  /** The same token, with the header that chooses the handler, which is not signed. */
  const versions = (): Record<'1' | '2', Call> => {
    const { wire, token } = device.prepare({ method: 'POST', target: '/transfers' });
    const call = (version: string): Call => ({
      method: 'POST',
      target: '/transfers',
      tokens: () => [token],
      wire: { headers: [...wire.headers, ['X-API-Version', version]] },
    });
    return { '1': call('1'), '2': call('2') };
  };

  it.each([
    ['1', '2'],
    ['2', '1'],
    ['1', '1'],
    ['2', '2'],
  ] as const)('a token spent at version %s is spent at version %s', async (first, second) => {
    const call = versions();
    const accepted = await device.send(call[first]);
    expectAccepted(accepted);
    expect(accepted.json()).toEqual({ handler: first === '1' ? 'recent' : 'once' });
    expectRefusal(await device.send(call[second]), first + second === '22' ? 'use_tab_nonce' : 'replayed_token');
  });

  it('a race of 20 for both has one winner', async () => {
    const call = versions();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => device.send(call[i % 2 === 0 ? '1' : '2'])));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });
});

class StrictGuard extends TabGuard {
  protected override requirementOf(): TrustRequirement {
    return this.requirements.named('strict');
  }
}

class MildGuard extends TabGuard {
  protected override requirementOf(): TrustRequirement {
    return this.requirements.named('mild');
  }
}

@Controller('layered')
class LayeredController {
  readonly #sessions: TabSessions;

  constructor(sessions: TabSessions) {
    this.#sessions = sessions;
  }

  @UseGuards(StrictGuard, MildGuard)
  @Post('strict-first')
  @HttpCode(200)
  strictFirst(@Trust() trust: TrustContext, @Headers('x-bind') bind?: string): Promise<object> {
    return this.#answer(trust, bind);
  }

  @UseGuards(MildGuard, StrictGuard)
  @Post('mild-first')
  @HttpCode(200)
  mildFirst(@Trust() trust: TrustContext, @Headers('x-bind') bind?: string): Promise<object> {
    return this.#answer(trust, bind);
  }

  async #answer(trust: TrustContext, bind: string | undefined): Promise<object> {
    if (bind !== undefined) await this.#sessions.bind(trust, { subject: 'mallory', credential: bind });
    return { verified: trust.verified };
  }
}

describe.each(PLATFORMS)('a milder second guard on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    app = await startApp(platform, {
      controllers: [LayeredController],
      providers: [StrictGuard, MildGuard],
      tab: {
        policies: { strict: { session: 'none', mode: 'monitor', minVersion: '9.0.0' }, mild: { session: 'none' } },
      },
    });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  describe.each(['/layered/strict-first', '/layered/mild-first'])('%s', (target) => {
    const send = (call: Call = {}) => device.send({ method: 'POST', target, ...call });

    it('does not make good what a monitored one could not verify', async () => {
      const answer = await send();
      expect(answer.status).toBe(200);
      expect(answer.header('tab-monitor')).toBe('insufficient_trust');
      expect(answer.json()).toEqual({ verified: false });
    });

    it('starts no session', async () => {
      const answer = await send({ headers: [['X-Bind', `credential-of${target}`]] });
      expectRefusal(answer, 'insufficient_trust');
      expect(answer.header('tab-session')).toBeUndefined();
      expect(app.bindings.calls).not.toContain('bind');
    });

    it('verifies what satisfies both', async () => {
      const answer = await send({ claims: { app: { id: BANK.id, ver: '9.0.0' } } });
      expect(answer.header('tab-monitor')).toBeUndefined();
      expect(answer.json()).toEqual({ verified: true });
    });
  });
});

describe.each(PLATFORMS)('records and details on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    app = await startApp(platform, {
      controllers: [SessionController, OpenController],
      tab: { exposeDetail: true, apps: [{ ...BANK, probes: ['root'] }] },
    });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  const recorded = (id: unknown) => app.nest.get(TabDecisions, { strict: false }).find(id as string);
  const start = (subject: string, credential: string, call: Call = {}) =>
    device.send({ method: 'POST', target: '/session', body: JSON.stringify({ subject, credential }), ...call });

  it('a refused session start has a record of its own, with the reason', async () => {
    const answer = await start('mallory', 'stolen-token', { credential: 'stolen-token' });
    expect(answer.status).toBe(401);
    const { decision, code } = answer.json();
    expect(code).toBe('invalid_session');
    const record = await recorded(decision);
    expect(record).toMatchObject({
      outcome: 'refused',
      enforced: true,
      code: 'invalid_session',
      instanceId: device.id,
    });
    expect(record?.detail).toMatch(/^session change in request \S{22}: a credential found on the request cannot start/);
    // The request itself had passed, and its record says so.
    const request = /request (\S{22}):/.exec(record?.detail ?? '')?.[1];
    expect(request).not.toBe(decision);
    expect(await recorded(request)).toMatchObject({ outcome: 'accepted' });
    expect(JSON.stringify(record)).not.toContain('stolen-token');
  });

  it('a credential of another session: likewise', async () => {
    expectAccepted(await start('alice', 'shared-credential'));
    const answer = await start('mallory', 'shared-credential');
    expect(answer.status).toBe(401);
    expect((await recorded(answer.json()['decision']))?.detail).toMatch(/credential belonged to another session/);
  });

  it.each<[string, Call]>([
    ['insufficient_trust', { claims: { rt: { at: 1, found: ['vpn'], clear: [], sdk: 'x/1' } } }],
    [
      'insufficient_trust',
      { claims: { app: { id: BANK.id, ver: '2.1.0' }, rt: { at: 1, found: [], clear: [], sdk: 'x/1' } } },
    ],
  ])('%s never says what the policy looks for, though details are exposed', async (code, call) => {
    const answer = await device.send({ target: '/open', ...call });
    expectRefusal(answer, code);
    expect((await recorded(answer.json()['decision']))?.detail).toMatch(/./);
  });

  it('a runtime without trust may still give its key up, and only that', async () => {
    const rooted = await app.device().enrolled();
    const evidence = { rt: { at: 1, found: ['root', 'hooking'], clear: [], sdk: 'x/1' } };
    expectRefusalHeaders(await rooted.send({ claims: evidence }), 'insufficient_trust');
    expectRefusalHeaders(await rooted.retire({ claims: evidence, key: device.key }), 'bad_signature');
    expectRefusalHeaders(await rooted.retire({ claims: { ...evidence, nonce: undefined } }), 'use_tab_nonce');
    expect((await rooted.retire({ claims: evidence })).status).toBe(204);
    expectRefusalHeaders(await rooted.send(), 'instance_revoked');
  });
});

describe.each(PLATFORMS)('misspelt options on $name', (platform) => {
  it.each<[object, RegExp]>([
    [{ polices: {} }, /^TabModule options: unknown member 'polices'; write one of /],
    [{ mod: 'monitor' }, /unknown member 'mod'/],
    [{ apps: [{ ...BANK, suspendon: ['root'] }] }, /^apps\['com\.example\.bank'\]: unknown member 'suspendon'/],
    [{ token: { lifeTime: 30 } }, /^token: unknown member 'lifeTime'/],
    [{ limits: { enrolmentPerMinute: 5 } }, /^limits: unknown member 'enrolmentPerMinute'/],
    [{ credential: { verifier: () => undefined } }, /^credential: unknown member 'verifier'/],
    [{ policy: { onbreach: 'suspend' } }, /^policy: unknown member 'onbreach'/],
    [{ policies: { pay: { runtime: { denied: ['root'] } } } }, /^policies\.pay\.runtime: unknown member 'denied'/],
  ])('%j: does not start', async (tab, message) => {
    await expect(
      createApp(platform, { controllers: [OpenController], tab: tab as Partial<TabOptions> }),
    ).rejects.toThrow(message);
  });
});
