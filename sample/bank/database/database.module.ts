import { Global, Module, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { BankDatabase } from './bank-database.js';
import { dataSourceOptions, type DatabaseSettings } from './database-settings.js';
import { openDataSource } from './open-data-source.js';

/** One `DataSource` for the bank and for TAB. */
@Global()
@Module({})
export class DatabaseModule {
  static forRoot(settings: DatabaseSettings): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [
        TypeOrmModule.forRootAsync({
          // `openDataSource` has tried often enough.
          useFactory: () => ({ ...dataSourceOptions(settings), retryAttempts: 1, retryDelay: 0 }),
          dataSourceFactory: openDataSource,
        }),
      ],
      providers: [BankDatabase],
      exports: [BankDatabase],
    };
  }
}
