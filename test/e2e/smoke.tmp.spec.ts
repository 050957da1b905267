import { Controller, Get, Post, HttpCode } from '@nestjs/common';
import { RequireTrust } from 'nestjs-tab';
import { describe, it } from 'vitest';
import { startApp } from '../utils/http/app.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { PLATFORMS } from '../utils/http/platforms.js';

@RequireTrust({ session: 'none' })
@Controller('open')
class OpenController {
  @Get() get() { return { ok: true }; }
  @Post() @HttpCode(200) post() { return { ok: true }; }
}
describe.each(PLATFORMS)('on $name', (platform) => {
  it('works', async () => {
    const app = await startApp(platform, { controllers: [OpenController] });
    const device = await app.device().enrolled();
    expectAccepted(await device.send());
    expectAccepted(await device.send({ method: 'POST', body: '{"a":1}' }));
    const p = device.prepare();
    expectAccepted(await device.replay(p));
    expectRefusal(await device.replay(p), 'replayed_token');
    expectRefusal(await device.send({ tokens: () => [] }), 'missing_token');
    console.log(app.logs.lines.join('\n'));
    await app.stop();
  });
});
