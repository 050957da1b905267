import { ConfigurableModuleBuilder, type Type } from '@nestjs/common';
import { discoveryController, endpointsController } from './enrolment/endpoints.controller.js';
import { signalsController } from './signals/receiver.controller.js';
import { DEFAULT_PREFIX, TAB_ENDPOINTS, TAB_OPTIONS } from './tab.constants.js';
import type { TabEndpointOptions, TabOptions, TabOptionsFactory } from './tab-options.js';

/** What decides the module itself and so has to be known before any provider: said beside the options, also in `forRootAsync`. */
export interface TabModuleExtras {
  /** Whether all modules can use `TabGuard` without importing `TabModule`. Default true. */
  isGlobal?: boolean;
  /** Where the module's endpoints are, or false for none. Default `{ prefix: '/tab' }`. */
  endpoints?: TabEndpointOptions | false;
}

const DEFAULT_EXTRAS: TabModuleExtras = { isGlobal: true, endpoints: { prefix: DEFAULT_PREFIX } };

/** The endpoints' controllers, decorated as the application wants them. */
function controllersOf(prefix: string, decorators: readonly ClassDecorator[]): Type[] {
  const controllers = [endpointsController(prefix), discoveryController(), signalsController(prefix)];
  for (const controller of controllers) for (const decorate of decorators) decorate(controller);
  return controllers;
}

/** The machinery of `forRoot` and `forRootAsync`. */
export const { ConfigurableModuleClass, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } = new ConfigurableModuleBuilder<TabOptions>({
  optionsInjectionToken: TAB_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createTabOptions' satisfies keyof TabOptionsFactory)
  .setExtras<TabModuleExtras>(DEFAULT_EXTRAS, (definition, { isGlobal, endpoints }) => {
    const { prefix = DEFAULT_PREFIX, decorators = [] } = endpoints === false ? {} : (endpoints ?? {});
    return {
      ...definition,
      global: isGlobal,
      providers: [...(definition.providers ?? []), { provide: TAB_ENDPOINTS, useValue: prefix }],
      controllers: endpoints === false ? [] : controllersOf(prefix, decorators),
    };
  })
  .build();
