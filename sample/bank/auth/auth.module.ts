import { Module } from '@nestjs/common';
import { AccessTokensModule } from './access-tokens.module.js';
import { AuthController } from './auth.controller.js';
import { Users } from './users.js';

@Module({ imports: [AccessTokensModule], controllers: [AuthController], providers: [Users] })
export class AuthModule {}
