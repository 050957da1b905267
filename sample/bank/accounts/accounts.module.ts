import { Module } from '@nestjs/common';
import { AccessTokensModule } from '../auth/access-tokens.module.js';
import { AccountsController } from './accounts.controller.js';

@Module({ imports: [AccessTokensModule], controllers: [AccountsController] })
export class AccountsModule {}
