import { Global, Module, type DynamicModule } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { TabGuard, TabModule } from 'nestjs-tab';
import { AccountsModule } from './accounts/accounts.module.js';
import { AccessTokens } from './auth/access-tokens.js';
import { AccessTokensModule } from './auth/access-tokens.module.js';
import { AuthModule } from './auth/auth.module.js';
import { BANK_CONFIG, type BankConfig } from './config.js';
import { DatabaseModule } from './database/database.module.js';
import { HealthController } from './health.controller.js';
import { LabModule } from './lab/lab.module.js';
import { OperatorModule } from './operator/operator.module.js';
import { PhonesModule } from './phones/phones.module.js';
import { tabOptions } from './tab-options.js';
import { TransfersModule } from './transfers/transfers.module.js';

@Global()
@Module({})
export class AppModule {
  static forRoot(config: BankConfig): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DatabaseModule.forRoot(config.database),
        TabModule.forRootAsync({
          imports: [AccessTokensModule],
          inject: [AccessTokens],
          useFactory: (tokens: AccessTokens) => tabOptions(config, tokens),
        }),
        AuthModule,
        AccountsModule,
        TransfersModule,
        OperatorModule,
        ...(config.testRoots === undefined ? [] : [PhonesModule]),
        ...(config.lab === undefined ? [] : [LabModule.forRoot(config.lab)]),
      ],
      controllers: [HealthController],
      providers: [
        { provide: BANK_CONFIG, useValue: config },
        // Everything is guarded unless it says @SkipTrust(): a route that somebody forgot is closed, not open.
        { provide: APP_GUARD, useExisting: TabGuard },
      ],
      exports: [BANK_CONFIG],
    };
  }
}
