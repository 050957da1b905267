import type { TabStores } from 'nestjs-tab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type TestApp } from '../utils/http/app.js';
import type { Call, Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { OpenController } from './controllers.js';

const ONCE: Call = { method: 'POST', target: '/open/once' };

describe.each(PLATFORMS)('challenges on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    app = await startApp(platform, { controllers: [OpenController], tab: { challengeLifetime: 300 } });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  /** A challenge of its own for this instance. */
  async function fresh(): Promise<string> {
    const answer = await device.send({ claims: { nonce: undefined } });
    expectRefusal(answer, 'use_tab_nonce');
    return answer.header('tab-nonce') as string;
  }

  it('come with an enrolment', async () => {
    const answer = await app.device().enrol();
    expect(answer.header('tab-nonce')).toMatch(/^[A-Za-z0-9._-]{22,256}$/);
  });

  it('are good for many requests, and are not given again before half their life', async () => {
    const nonce = await fresh();
    for (let i = 0; i < 3; i += 1) {
      const answer = await device.send({ claims: { nonce } });
      expectAccepted(answer);
      expect(answer.header('tab-nonce')).toBeUndefined();
    }
    app.clock.advance(150);
    expect((await device.send({ claims: { nonce } })).header('tab-nonce')).toBeUndefined();
    app.clock.advance(1);
    const late = await device.send({ claims: { nonce } });
    expectAccepted(late);
    expect(late.header('tab-nonce')).toMatch(/^[A-Za-z0-9._-]{22,256}$/);
    expect(late.header('tab-nonce')).not.toBe(nonce);
  });

  it('past half life are renewed with refusals too, once the signature has verified', async () => {
    const nonce = await fresh();
    app.clock.advance(200);
    const refused = await device.send({ claims: { nonce, app: { id: 'com.example.other', ver: '1.0.0' } } });
    expectRefusal(refused, 'request_mismatch');
    expect(refused.header('tab-nonce')).toBeDefined();
    const unsigned = await device.send({ claims: { nonce }, key: app.device().key });
    expectRefusal(unsigned, 'bad_signature');
    expect(unsigned.header('tab-nonce')).toBeUndefined();
  });

  it('end after their life', async () => {
    const nonce = await fresh();
    app.clock.advance(299);
    expectAccepted(await device.send({ claims: { nonce } }));
    app.clock.advance(1);
    expectRefusal(await device.send({ claims: { nonce } }), 'use_tab_nonce');
  });

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['forged', 'A'.repeat(64)],
    ['far too long', 'A'.repeat(2_000)],
    ['of characters that no challenge has', 'ü €'],
  ])('that are %s are refused, with a new one that works', async (_title, nonce) => {
    const answer = await device.send({ claims: { nonce } });
    expectRefusal(answer, 'use_tab_nonce');
    expectAccepted(await device.send());
  });

  it('are refused with one character changed', async () => {
    const nonce = await fresh();
    for (const at of [0, 10, 30, nonce.length - 1]) {
      const changed = nonce.slice(0, at) + (nonce[at] === 'A' ? 'B' : 'A') + nonce.slice(at + 1);
      expectRefusal(await device.send({ claims: { nonce: changed } }), 'use_tab_nonce');
    }
  });

  it('for enrolment are none for requests, and the other way round', async () => {
    expectRefusal(await device.send({ claims: { nonce: await device.challenge() } }), 'use_tab_nonce');
    expectRefusal(await app.device().enrol({ challenge: await fresh() }), 'use_tab_nonce');
  });

  it('for one instance are none for another', async () => {
    const other = await app.device().enrolled();
    expectRefusal(await device.send({ claims: { nonce: other.nonce } }), 'use_tab_nonce');
    expectAccepted(await other.send());
  });

  it('are ignored where the policy asks for none', async () => {
    app.clock.advance(16);
    expectAccepted(await device.send({ target: '/open/unchallenged', claims: { nonce: undefined } }));
    expectAccepted(await device.send({ target: '/open/unchallenged', claims: { nonce: 'not one of ours' } }));
  });

  it('on single-use routes are spent with the token, and every answer brings the next', async () => {
    device.nonce = await fresh();
    const first = device.nonce;
    for (let i = 0; i < 3; i += 1) {
      const answer = await device.send(ONCE);
      expectAccepted(answer);
      expect(answer.header('tab-nonce')).toBeDefined();
    }
    const spent = await device.send({ ...ONCE, claims: { nonce: first } });
    expectRefusal(spent, 'use_tab_nonce');
    expectAccepted(await device.send(ONCE));
  });

  it('on single-use routes make a replay fail', async () => {
    const prepared = device.prepare(ONCE);
    expectAccepted(await device.replay(prepared));
    expectRefusal(await device.replay(prepared), 'use_tab_nonce');
  });

  it('on single-use routes come with refusals after the signature, not with those before it', async () => {
    const after = await device.send({ ...ONCE, body: '{}', wire: { body: Buffer.from('[]') } });
    expectRefusal(after, 'request_mismatch');
    expect(after.header('tab-nonce')).toBeDefined();
    const before = await device.send({ ...ONCE, claims: { htm: 'PUT' } });
    expectRefusal(before, 'request_mismatch');
    expect(before.header('tab-nonce')).toBeUndefined();
  });

  it('on single-use routes go to one of many who race', async () => {
    const nonce = await fresh();
    const answers = await Promise.all(Array.from({ length: 20 }, () => device.send({ ...ONCE, claims: { nonce } })));
    const codes = answers.map((answer) => answer.header('tab-error') ?? 'accepted').sort();
    expect(codes).toEqual(['accepted', ...Array<string>(19).fill('use_tab_nonce')]);
  });

  it('are shared by all who know the secret, in any order of rotation', async () => {
    const [old, young] = [
      'old secret of at least 32 octets, of the tests',
      'new secret of at least 32 octets, of the tests',
    ];
    const nonces = { claim: () => Promise.resolve(true), sweep: () => Promise.resolve(0), volatility: undefined };
    const start = (secrets: string[]) =>
      startApp(platform, {
        clock: app.clock,
        controllers: [OpenController],
        tab: (base) => ({
          secrets,
          stores: { bindings: (base.stores as TabStores).bindings, nonces },
        }),
      });
    const [issuing, rotated, ignorant] = [await start([old]), await start([young, old]), await start([young])];
    try {
      const challenge = await issuing.device().challenge();
      expect((await rotated.device().enrol({ challenge })).status).toBe(201);
      expectRefusal(await ignorant.device().enrol({ challenge }), 'use_tab_nonce');
    } finally {
      await Promise.all([issuing, rotated, ignorant].map((each) => each.stop()));
    }
  });
});

describe.each(PLATFORMS)('a nonce store that forgets on $name', (platform) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp(platform, { controllers: [OpenController] });
  });
  afterAll(() => app.stop());

  it('fences tokens without a challenge for its first seconds', async () => {
    const device = await app.device().enrolled();
    const unchallenged = { target: '/open/unchallenged', claims: { nonce: undefined } };
    expectRefusal(await device.send(unchallenged), 'stale_token');
    app.clock.advance(15);
    expectRefusal(await device.send(unchallenged), 'stale_token');
    app.clock.advance(1);
    expectAccepted(await device.send(unchallenged));
  });
});
