import type { INestApplication, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import type { BankConfig } from './config.js';

/** The bank, not listening yet. */
export function createBankApp(config: BankConfig, options: NestApplicationOptions = {}): Promise<INestApplication> {
  // TAB binds bodies octet by octet, so the parsers have to keep the octets: rawBody.
  return NestFactory.create(AppModule.forRoot(config), { ...options, rawBody: true, abortOnError: false });
}
