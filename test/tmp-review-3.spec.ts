import { Controller, Post, Body, Get } from '@nestjs/common';
import { RequireTrust, Trust, TabSessions, type TrustContext } from 'nestjs-tab';
import { describe, expect, it } from 'vitest';
import { connect } from 'node:net';
import { BANK, startApp } from './utils/http/app.js';
import { PLATFORMS } from './utils/http/platforms.js';

@Controller('p')
class P {
  constructor(private readonly sessions: TabSessions) {}
  @RequireTrust({ session: 'none' }) @Post('form') form(@Body() b: unknown) { return { b }; }
  @RequireTrust({ session: 'none' }) @Post('login') async login(@Trust() t: TrustContext) { await this.sessions.bind(t, { subject: 'alice', credential: 'same' }); return {}; }
}
describe.each(PLATFORMS)('review3 $name', (platform) => {
  it('charset', async () => {
    const app = await startApp(platform, { controllers: [P] });
    const d = await app.device().enrolled();
    const cases: [string, string, string][] = [
      ['{"to":"+44123456"}', 'application/json', 'utf-7'],
      ['{"to":"+AGIAbwBi-","note":"alice"}', 'application/json', 'utf-7'],
      ['{"to":"+AGIAbwBi-"}', 'application/json', 'utf-7-imap'],
      ['{"to":"&AGIAbwBi-"}', 'application/json', 'utf-7-imap'],
      ['name=%C3%A9', 'application/x-www-form-urlencoded', 'iso-8859-1'],
    ];
    for (const [body, type, charset] of cases) {
      const q = () => d.prepare({ method: 'POST', target: '/p/form', body, type });
      const a = await d.replay(q());
      const p = q();
      const b = await d.replay({ ...p, wire: { ...p.wire, headers: p.wire.headers!.map(([n, v]) => [n, n === 'Content-Type' ? `${v}; charset=${charset}` : v] as const) } });
      console.log(platform.name, type, body, '\n   signed  ', a.status, a.body.toString(), '\n   ', charset, b.status, b.body.toString());
    }
    await app.stop();
  });
  it('bind refusal recorded?', async () => {
    const app = await startApp(platform, { controllers: [P] });
    const d = await app.device().enrolled();
    const a = await d.send({ method: 'POST', target: '/p/login' });
    const e = await app.device().enrolled();
    const b = await e.send({ method: 'POST', target: '/p/login' });
    const id = b.json()['decision'];
    console.log(platform.name, a.status, b.status, b.header('tab-error'), 'record for the quoted id:', JSON.stringify(app.decisions.find((x) => x.id === id)), 'in any record:', JSON.stringify(app.decisions).includes('another session'), 'in log:', app.logs.lines.some((l) => l.includes('another session')));
    await app.stop();
  });
});
