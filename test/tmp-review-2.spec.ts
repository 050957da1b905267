import { Controller, Post, Body, All, Req, Get } from '@nestjs/common';
import { RequireTrust, Trust, TabSessions, TabInstances, memoryStores, type TrustContext } from 'nestjs-tab';
import { describe, expect, it, vi } from 'vitest';
import { connect } from 'node:net';
import { BANK, startApp } from './utils/http/app.js';
import { PLATFORMS } from './utils/http/platforms.js';
import { SignatureVerifier } from '../lib/token/signature.js';
import { aKey, signAs } from './utils/core/keys.js';
import { KeyRing } from '../lib/verifier/key-ring.js';

@Controller('p')
class P {
  @RequireTrust({ session: 'none' }) @Post('form') form(@Body() b: unknown) { return { b }; }
  @RequireTrust({ session: 'none' }) @All('any') any() { return { ok: 1 }; }
  @RequireTrust({ session: 'none' }) @All('any/*') anyrest() { return { ok: 1 }; }
}
const raw = (port: number, text: string | Buffer) => new Promise<string>((resolve) => {
  const s = connect(port, '127.0.0.1'); let out = '';
  s.on('data', (d) => (out += d)); s.on('close', () => resolve(out)); s.on('error', () => resolve(out || 'ERR'));
  s.write(text); setTimeout(() => s.end(), 150); setTimeout(() => s.destroy(), 400);
});

describe.each(PLATFORMS)('review2 $name', (platform) => {
  it('charset', async () => {
    const app = await startApp(platform, { controllers: [P] });
    const d = await app.device().enrolled();
    const body = 'name=%E9%C3%A9';
    const p = () => d.prepare({ method: 'POST', target: '/p/form', body, type: 'application/x-www-form-urlencoded' });
    const a = await d.replay(p());
    const q = p();
    const b = await d.replay({ ...q, wire: { ...q.wire, headers: q.wire.headers!.map(([n, v]) => [n, n === 'Content-Type' ? v + '; charset=iso-8859-1' : v] as const) } });
    console.log(platform.name, 'charset', a.status, a.body.toString(), '|', b.status, b.body.toString());
    await app.stop();
  });
  it('fuzz 500s', async () => {
    const app = await startApp(platform, { controllers: [P] });
    const host = `127.0.0.1:${app.port}`;
    const seen: Record<string, number> = {};
    const reqs: string[] = [
      'GET /p/any HTTP/1.0\r\n\r\n', 'GET /p/any HTTP/1.0\r\nTAB-Token: a.b.c\r\n\r\n',
      `GET http://evil/p/any HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, `OPTIONS * HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      `GET //p/any HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, `GET /p/any/%zz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, `GET /p/any/%ff HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      `GET /p/any HTTP/1.1\r\nHost: a@b\r\nConnection: close\r\n\r\n`, `GET /p/any HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n`, `GET /p/any HTTP/1.1\r\nHost: ${host}\r\nHost: x\r\nConnection: close\r\n\r\n`,
      `GET /p/any HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n`,
      `GET /.well-known/tab-configuration HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n`, 
      `PROPFIND /p/any HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, `QUERY /p/any HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      `POST /p/form HTTP/1.1\r\nHost: ${host}\r\nContent-Type: ;;;\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      `POST /p/form HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n{}`,
      `POST /tab/instances HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      `POST /tab/instances HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull`,
      `POST /tab/instances HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST /tab/challenge HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `DELETE /tab/instances/self HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nTAB-Token: \xff\r\n\r\n`,
      `GET /p/any HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nCookie: ${'a=b;'.repeat(3000)}\r\nAuthorization: \xff\xfe\r\nTAB-Token: a.b.c\r\n\r\n`,
    ];
    for (const r of reqs) {
      const out = await raw(app.port, Buffer.from(r, 'latin1'));
      console.log(platform.name, JSON.stringify(r.slice(0, 60)), '=>', out.split('\r\n')[0], /tab-error: [^\r]*/i.exec(out)?.[0] ?? '');
    }
    // token fuzz
    const d = await app.device().enrolled();
    const vals: unknown[] = [null, 0, -1, 1e308, '', 'x', [], {}, [[]], true, '__proto__', { __proto__: null, constructor: 1 }, 2 ** 53, 1.5, '\u0000', '\ud800', 'a'.repeat(2000)];
    for (const claim of ['jti', 'iat', 'exp', 'nonce', 'htm', 'htu', 'qsh', 'bh', 'ct', 'ath', 'sid', 'hd', 'app', 'rt']) for (const v of vals) {
      const a = await d.send({ target: '/p/any', claims: { [claim]: v } });
      const k = `${a.status} ${a.header('tab-error')}`; seen[k] = (seen[k] ?? 0) + 1;
      if (a.status >= 500) console.log('5xx', claim, v, a.body.toString());
    }
    for (const m of ['typ', 'alg', 'kid', 'jwk', 'crit']) for (const v of vals) {
      const a = await d.send({ target: '/p/any', header: { [m]: v } });
      const k = `${a.status} ${a.header('tab-error')}`; seen[k] = (seen[k] ?? 0) + 1;
      if (a.status >= 500) console.log('5xx', m, v, a.body.toString());
      const e = await app.device().enrol({ header: { [m]: v } });
      const k2 = `enrol ${e.status} ${e.header('tab-error')}`; seen[k2] = (seen[k2] ?? 0) + 1;
      if (e.status >= 500) console.log('5xx enrol', m, v, e.body.toString());
    }
    for (const m of ['app', 'attestation']) for (const v of [...vals, { format: 'none', statement: { a: 1 } }, { format: '__proto__' }, { id: BANK.id, ver: '2.1.0', platform: 'ios' }]) {
      const e = await app.device().enrol({ body: { [m]: v } });
      const k2 = `enrolbody ${e.status} ${e.header('tab-error')}`; seen[k2] = (seen[k2] ?? 0) + 1;
      if (e.status >= 500) console.log('5xx enrol', m, v, e.body.toString());
    }
    console.log(platform.name, seen);
    console.log('errs', app.logs.lines.filter((l) => /error/i.test(l)).slice(0, 10));
    await app.stop();
  }, 120_000);
  it('retire growth', async () => {
    const app = await startApp(platform, { tab: (b: any) => ({ stores: memoryStores({ clock: b.clock, maxInstances: 3 }) }) });
    for (let i = 0; i < 3; i += 1) { const d = await app.device().enrolled(); console.log('retire', (await d.retire()).status); }
    app.clock.advance(400 * 86400);
    const { TabSweeper } = await import('../lib/tab.sweeper.js');
    await app.nest.get(TabSweeper, { strict: false }).sweep();
    const e = await app.device().enrol();
    console.log(platform.name, 'after 400 days and a sweep:', e.status, e.header('tab-error'));
    await app.stop();
  });
});

it('auto never pools', async () => {
  const crypto = await import('node:crypto');
  const key = aKey();
  const v = new SignatureVerifier('auto');
  const input = Buffer.from('x'); const sig = signAs('ES256', key.privateKey, input);
  let t0 = process.hrtime.bigint();
  const order: string[] = [];
  const all = Array.from({ length: 200 }, () => v.check({ alg: 'ES256', key: key.publicKey }, input, sig).then(() => order.push('v')));
  const syncMs = Number(process.hrtime.bigint() - t0) / 1e6; // time spent before first await
  await Promise.all(all);
  const p = new SignatureVerifier('pool');
  t0 = process.hrtime.bigint();
  const all2 = Array.from({ length: 200 }, () => p.check({ alg: 'ES256', key: key.publicKey }, input, sig));
  const poolMs = Number(process.hrtime.bigint() - t0) / 1e6;
  await Promise.all(all2);
  console.log('200 concurrent checks, main-thread ms: auto', syncMs.toFixed(1), 'pool', poolMs.toFixed(1));
});
