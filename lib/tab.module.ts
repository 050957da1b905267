import { Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { DiscoveryModule, ModuleRef } from '@nestjs/core';
import { SessionWatch } from './bindings/session-watch.js';
import { SignalTransmitter } from './signals/transmitter.js';
import { trustBreaks } from './signals/trust-break.js';
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
  readonly #watch: SessionWatch;

  constructor(moduleRef: ModuleRef, runtime: TabRuntime, decisions: TabDecisions, watch: SessionWatch) {
    super();
    this.#moduleRef = moduleRef;
    this.#runtime = runtime;
    this.#decisions = decisions;
    this.#watch = watch;
  }

  /** Takes the stores into use; they may need providers of the application, such as its `DataSource`. */
  async onModuleInit(): Promise<void> {
    const lookup: ProviderLookup = (token) => this.#moduleRef.get(token as never, { strict: false });
    await this.#runtime.start(lookup);
    await this.#decisions.start(lookup);
    const breaks = trustBreaks(this.#decisions.made);
    this.#transmitter?.follow(breaks);
    // What the verifier ends goes past the services that tell the watch otherwise.
    breaks.subscribe(({ action, instanceId, sessionId }) => {
      if (action === 'revoke-session') this.#watch.notify(sessionId as string, 'revoked by a breach');
      else this.#watch.notifyInstance(instanceId, action === 'suspend' ? 'instance_suspended' : 'instance_revoked');
    });
  }

  async onModuleDestroy(): Promise<void> {
    await this.#decisions.close();
    this.#watch.close();
    await this.#transmitter?.close();
  }

  /** Null where nobody is told when trust breaks. */
  get #transmitter(): SignalTransmitter | null {
    return this.#moduleRef.get<SignalTransmitter | null>(SignalTransmitter);
  }
}
