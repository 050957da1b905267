import { ConfigurableModuleBuilder } from '@nestjs/common';
import { endpointsController, TabDiscoveryController } from './enrolment/endpoints.controller.js';
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

function prefixOf(endpoints: TabEndpointOptions | false | undefined): string | undefined {
  return endpoints === false ? undefined : (endpoints?.prefix ?? DEFAULT_PREFIX);
}

/** The machinery of `forRoot` and `forRootAsync`. */
export const { ConfigurableModuleClass, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } = new ConfigurableModuleBuilder<TabOptions>({
  optionsInjectionToken: TAB_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createTabOptions' satisfies keyof TabOptionsFactory)
  .setExtras<TabModuleExtras>(DEFAULT_EXTRAS, (definition, { isGlobal, endpoints }) => {
    const prefix = prefixOf(endpoints);
    return {
      ...definition,
      global: isGlobal,
      providers: [...(definition.providers ?? []), { provide: TAB_ENDPOINTS, useValue: prefix ?? DEFAULT_PREFIX }],
      controllers: prefix === undefined ? [] : [endpointsController(prefix), TabDiscoveryController],
    };
  })
  .build();
