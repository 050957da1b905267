import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { RequireTrust, TabInstances, TabSessions, Trust, type TrustContext } from 'nestjs-tab';
import type { Defender } from 'nestjs-tab/defender';
import { createTestDefender, type TestDefenderOptions } from 'nestjs-tab/testing';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BANK, startApp, type TabSetup, type TestApp } from '../utils/http/app.js';
import { PLATFORMS } from '../utils/http/platforms.js';

const CREDENTIAL = 'issued-access-token';

@RequireTrust()
@Controller('bank')
class BankController {
  readonly #sessions: TabSessions;

  constructor(sessions: TabSessions) {
    this.#sessions = sessions;
  }

  @Post('login')
  @HttpCode(200)
  @RequireTrust({ session: 'none', proof: 'signature' })
  async login(@Trust() trust: TrustContext): Promise<object> {
    await this.#sessions.bind(trust, { subject: 'alice', credential: CREDENTIAL });
    return {};
  }

  @Get('accounts')
  accounts(@Trust() trust: TrustContext): object {
    return { proof: trust.verified && trust.proof };
  }

  @Post('transfers')
  @HttpCode(200)
  @RequireTrust({ challenge: 'single-use', proof: 'signature' })
  transfer(@Trust() trust: TrustContext, @Body() body: unknown): object {
    return { proof: trust.verified && trust.proof, body };
  }

  @Post('notes')
  @HttpCode(200)
  @RequireTrust({ challenge: 'single-use' })
  note(@Trust() trust: TrustContext): object {
    return { proof: trust.verified && trust.proof };
  }
}

/** What opens a key, in the last step; the platform does it in a thread of its own. */
const unwrap = vi.spyOn(crypto.subtle, 'unwrapKey');
beforeEach(() => void unwrap.mockClear());
afterAll(() => unwrap.mockRestore());

describe.each(PLATFORMS)('a Defender with proof keys on $name', (platform) => {
  let app: TestApp;
  afterEach(() => app.stop());

  async function start(tab: TabSetup = {}, options: Partial<TestDefenderOptions> = {}) {
    app = await startApp(platform, { controllers: [BankController], tab: { proofKeys: true, ...tab } });
    return createTestDefender({
      api: app.origin,
      app: { id: BANK.id, platform: 'android' },
      clock: app.clock.read,
      proofKeys: 'session',
      ...options,
    });
  }
  const headers = { authorization: `Bearer ${CREDENTIAL}`, 'content-type': 'application/json' };
  const post = (defender: Defender, path: string) =>
    defender.fetch(`${app.origin}/bank/${path}`, { method: 'POST', body: '{"amount":1}', headers });
  const accounts = (defender: Defender) => defender.fetch(`${app.origin}/bank/accounts`, { headers });
  const proofOf = async (answer: Promise<Response>) => ((await (await answer).json()) as { proof?: unknown }).proof;
  const login = (defender: Defender) => defender.fetch(`${app.origin}/bank/login`, { method: 'POST' });
  /** Waits until so many keys are there. */
  const granted = async (count: number) => {
    const done = () => unwrap.mock.settledResults.filter(({ type }) => type === 'fulfilled');
    await vi.waitFor(() => expect(done()).toHaveLength(count));
    await new Promise((resolve) => setImmediate(resolve));
  };
  /** Signed in, and with a key. */
  async function signedIn(tab: TabSetup = {}, options: Partial<TestDefenderOptions> = {}) {
    const defender = await start(tab, options);
    expect((await login(defender)).status).toBe(200);
    expect(await proofOf(accounts(defender))).toBe('signature');
    await granted(1);
    return defender;
  }
  const refusals = () => app.decisions.filter(({ outcome }) => outcome === 'refused').map(({ code }) => code);

  it('signs what starts a session, and uses a key within it', async () => {
    const defender = await signedIn();
    for (let i = 0; i < 3; i += 1) expect(await proofOf(accounts(defender))).toBe('mac');
    expect(refusals()).toEqual([]);
  });

  it('gets through what asks for a signature, at the cost of one refusal for each key', async () => {
    const defender = await signedIn();
    for (let i = 0; i < 3; i += 1) {
      const answer = await post(defender, 'transfers');
      expect([answer.status, await answer.json()]).toEqual([200, { proof: 'signature', body: { amount: 1 } }]);
    }
    expect(refusals()).toEqual(['step_up_required']);
  });

  it('spends single-use challenges under a key as under a signature', async () => {
    const defender = await signedIn();
    await post(defender, 'notes');
    for (let i = 0; i < 3; i += 1) expect(await proofOf(post(defender, 'notes'))).toBe('mac');
  });

  it('fails no request when keys end, whatever the reason', async () => {
    const defender = await signedIn();
    app.clock.advance(200);
    expect(await proofOf(accounts(defender))).toBe('mac');
    await granted(2);
    app.clock.advance(299);
    expect(await proofOf(accounts(defender))).toBe('signature');
    await granted(3);
    expect(await proofOf(accounts(defender))).toBe('mac');
  });

  it('loses its key with the instance', async () => {
    const defender = await signedIn();
    await app.nest.get(TabInstances).revoke(defender.instanceId as string, 'lost');
    const answer = await accounts(defender);
    expect([answer.status, answer.headers.get('tab-error')]).toEqual([403, 'instance_revoked']);
    expect(app.decisions.at(-1)?.proof).toBe('mac');
    await accounts(defender);
    expect(app.decisions.at(-1)?.proof).toBe('signature');
  });

  it('does without where the server has none', async () => {
    const defender = await start({ proofKeys: false }, { proofKeys: true });
    await login(defender);
    for (let i = 0; i < 3; i += 1) expect(await proofOf(accounts(defender))).toBe('signature');
    expect([refusals(), unwrap.mock.calls.length]).toEqual([[], 0]);
  });

  it('retires itself with a signature', async () => {
    const defender = await signedIn();
    await defender.retire();
    expect(refusals()).toEqual([]);
  });
});
