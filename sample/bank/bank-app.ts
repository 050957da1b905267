import type { INestApplication, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import type { BankConfig } from './config.js';

/** The bank, not listening yet. */
export function createBankApp(config: BankConfig, options: NestApplicationOptions = {}): Promise<INestApplication> {
  // Browsers keep connections ready over which they have asked for nothing yet; closing would wait for those for a minute.
  const forceCloseConnections = config.lab !== undefined;
  // TAB binds bodies octet by octet, so the parsers have to keep the octets: rawBody.
  return NestFactory.create(AppModule.forRoot(config), {
    forceCloseConnections,
    ...options,
    rawBody: true,
    abortOnError: false,
  });
}
