import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { RequireTrust, TabModule, type TabModuleExtras, type TabOptions, type TabOptionsFactory } from 'nestjs-tab';
import { afterEach, describe, expect, it } from 'vitest';
import { createApp, startApp, type AppSetup, type TestApp } from '../utils/http/app.js';
import { expectAccepted } from '../utils/http/expectations.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { OpenController } from './controllers.js';

/** Gives the options on, as a configuration service of an application would. */
@Injectable()
class OptionsHolder implements TabOptionsFactory {
  static options: TabOptions;

  createTabOptions(): TabOptions {
    return OptionsHolder.options;
  }
}

@Module({ providers: [OptionsHolder], exports: [OptionsHolder] })
class OptionsModule {}

@Controller('feature')
class FeatureController {
  @RequireTrust({ session: 'none' })
  @Get()
  read(): object {
    return { handler: 'feature' };
  }
}

@Module({ controllers: [FeatureController] })
class FeatureModule {}

const FORMS: readonly (readonly [title: string, module: NonNullable<AppSetup['module']>])[] = [
  ['forRoot', (options) => TabModule.forRoot(options)],
  [
    'forRootAsync with useFactory',
    () =>
      TabModule.forRootAsync({
        imports: [OptionsModule],
        inject: [OptionsHolder],
        useFactory: async (holder: OptionsHolder) => Promise.resolve(holder.createTabOptions()),
      }),
  ],
  ['forRootAsync with useClass', () => TabModule.forRootAsync({ useClass: OptionsHolder })],
  [
    'forRootAsync with useExisting',
    () => TabModule.forRootAsync({ imports: [OptionsModule], useExisting: OptionsHolder }),
  ],
];

/** Hands the options to the holder and drops what is no option of the module. */
function held(module: NonNullable<AppSetup['module']>): NonNullable<AppSetup['module']> {
  return (options) => {
    const { isGlobal: _isGlobal, endpoints: _endpoints, ...rest } = options;
    OptionsHolder.options = rest;
    return module(options);
  };
}

describe.each(PLATFORMS)('TabModule on $name', (platform) => {
  let app: TestApp | undefined;
  afterEach(async () => {
    await app?.stop();
    app = undefined;
  });

  it.each(FORMS)('works by %s', async (_title, module) => {
    app = await startApp(platform, { controllers: [OpenController], module: held(module), imports: [FeatureModule] });
    const device = await app.device().enrolled();
    expectAccepted(await device.send());
    expectAccepted(await device.send({ target: '/feature' }));
  });

  it.each(FORMS)('takes endpoints and isGlobal beside %s', async (title, module) => {
    const extras: TabModuleExtras = { endpoints: { prefix: '/trust/v1/' }, isGlobal: true };
    const withExtras: NonNullable<AppSetup['module']> =
      title === 'forRoot'
        ? (options) => TabModule.forRoot({ ...options, ...extras })
        : (options) => {
            module(options);
            return TabModule.forRootAsync({ ...extras, useFactory: () => OptionsHolder.options });
          };
    app = await startApp(platform, { controllers: [OpenController], module: held(withExtras) });
    const device = await app.device({ prefix: '/trust/v1' }).enrolled();
    expectAccepted(await device.send());
  });

  it('that is not global has to be imported where it is used', async () => {
    const tab = { isGlobal: false };
    await expect(createApp(platform, { tab, imports: [FeatureModule] })).rejects.toThrow(/resolve dependencies/);
    app = await startApp(platform, { tab, controllers: [FeatureController] });
    expectAccepted(await (await app.device().enrolled()).send({ target: '/feature' }));
  });
});
