import { afterAll, beforeAll, describe, it } from 'vitest';
import { startApp, type TestApp } from '../utils/http/app.js';
import type { Device } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { OpenController } from './controllers.js';

const A = 'https://a.example';
const B = 'https://b.example:8443/api';

const MALFORMED = [
  '',
  'a b',
  'a.example/',
  'a.example@b.example',
  'a.example, b.example',
  '[::1',
  'a.example:99999x',
  '%61.example',
];

describe.each(PLATFORMS)('one origin on $name', (platform) => {
  let app: TestApp;
  let device: Device;

  beforeAll(async () => {
    app = await startApp(platform, { controllers: [OpenController], trustProxy: true });
    device = await app.device().enrolled();
  });
  afterAll(() => app.stop());

  it.each(['evil.example', ...MALFORMED])('holds whatever Host says: %j', async (host) => {
    expectAccepted(await device.send({ host }));
    expectRefusal(await device.send({ host, claims: { htu: `http://${host}/open` } }), 'request_mismatch');
  });

  it('holds whatever X-Forwarded-Host says', async () => {
    expectAccepted(await device.send({ headers: [['X-Forwarded-Host', 'evil.example']] }));
    expectAccepted(
      await device.send({
        headers: [
          ['X-Forwarded-Host', 'a@b, c d'],
          ['Forwarded', 'host=evil.example'],
        ],
      }),
    );
  });

  it('holds whatever two Host headers say', async () => {
    expectAccepted(await device.send({ headers: [['Host', 'evil.example']] }));
  });
});

describe.each(PLATFORMS)('several origins on $name', (platform) => {
  let app: TestApp;
  let a: Device;
  let b: Device;

  beforeAll(async () => {
    app = await startApp(platform, { controllers: [OpenController], tab: { origins: [A, B] } });
    a = await app.device({ origin: A }).enrolled();
    b = await app.device({ origin: B }).enrolled();
  });
  afterAll(() => app.stop());

  it('are selected by Host', async () => {
    expectAccepted(await a.send());
    expectAccepted(await b.send());
    expectAccepted(await a.send({ host: 'A.Example' }));
    expectAccepted(await a.send({ host: 'a.example:443' }));
  });

  it('are not exchanged: a token for one is none for the other', async () => {
    expectRefusal(await a.send({ host: 'b.example:8443' }), 'request_mismatch');
    expectRefusal(await b.send({ host: 'a.example' }), 'request_mismatch');
  });

  it.each([...MALFORMED, 'c.example', 'b.example', 'a.example:80', 'a.example.'])(
    'are not selected by Host %j',
    async (host) => {
      expectRefusal(await a.send({ host }), 'request_mismatch');
      expectRefusal(await a.send({ host, claims: { htu: `https://${host}/open` } }), 'request_mismatch');
    },
  );

  it('are not selected by two Host headers', async () => {
    expectRefusal(await a.send({ headers: [['Host', 'a.example']] }), 'request_mismatch');
    expectRefusal(await a.send({ headers: [['Host', 'b.example:8443']] }), 'request_mismatch');
  });

  it('are not selected by X-Forwarded-Host of a proxy that is not trusted', async () => {
    expectAccepted(await a.send({ headers: [['X-Forwarded-Host', 'b.example:8443']] }));
    expectRefusal(
      await b.send({ host: 'a.example', headers: [['X-Forwarded-Host', 'b.example:8443']] }),
      'request_mismatch',
    );
  });
});

describe.each(PLATFORMS)('several origins behind a trusted proxy on $name', (platform) => {
  let app: TestApp;
  let b: Device;

  beforeAll(async () => {
    app = await startApp(platform, { controllers: [OpenController], tab: { origins: [A, B] }, trustProxy: true });
    b = await app.device({ origin: B }).enrolled();
  });
  afterAll(() => app.stop());

  it('are selected by X-Forwarded-Host', async () => {
    expectAccepted(await b.send({ host: '10.0.0.1', headers: [['X-Forwarded-Host', 'b.example:8443']] }));
    expectRefusal(
      await b.send({ host: 'b.example:8443', headers: [['X-Forwarded-Host', 'a.example']] }),
      'request_mismatch',
    );
  });

  it.each(['c.example', 'a b', 'b.example:8443/api', '\u00a0'])(
    'are not selected by X-Forwarded-Host %j',
    async (value) => {
      expectRefusal(await b.send({ host: 'a.example', headers: [['X-Forwarded-Host', value]] }), 'request_mismatch');
    },
  );
});
