import { Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { DiscoveryModule, ModuleRef } from '@nestjs/core';
import type { ProviderLookup } from './stores/stores.types.js';
import { TAB_EXPORTS, TAB_PROVIDERS } from './tab.providers.js';
import { ConfigurableModuleClass } from './tab.module-definition.js';
import { TabRuntime } from './tab-runtime.js';
import { TabDecisions } from './telemetry/tab-decisions.js';

/**
 * Trust API Bind for NestJS. `TabModule.forRoot(options)` or `forRootAsync({ imports, inject, useFactory | useClass |
 * useExisting })`; then `@RequireTrust()` on what is to be guarded. Options that cannot work fail at start-up.
 */
@Module({ imports: [DiscoveryModule], providers: TAB_PROVIDERS, exports: TAB_EXPORTS })
export class TabModule extends ConfigurableModuleClass implements OnModuleInit, OnModuleDestroy {
  readonly #moduleRef: ModuleRef;
  readonly #runtime: TabRuntime;
  readonly #decisions: TabDecisions;

  constructor(moduleRef: ModuleRef, runtime: TabRuntime, decisions: TabDecisions) {
    super();
    this.#moduleRef = moduleRef;
    this.#runtime = runtime;
    this.#decisions = decisions;
  }

  /** Takes the stores into use; they may need providers of the application, such as its `DataSource`. */
  async onModuleInit(): Promise<void> {
    const lookup: ProviderLookup = (token) => this.#moduleRef.get(token as never, { strict: false });
    await this.#runtime.start(lookup);
    await this.#decisions.start(lookup);
  }

  async onModuleDestroy(): Promise<void> {
    await this.#decisions.close();
  }
}
