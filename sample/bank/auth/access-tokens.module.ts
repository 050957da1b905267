import { Module } from '@nestjs/common';
import { AccessTokens } from './access-tokens.js';

/** Apart from `AuthModule`, since TAB itself needs it to verify the credentials of requests. */
@Module({ providers: [AccessTokens], exports: [AccessTokens] })
export class AccessTokensModule {}
