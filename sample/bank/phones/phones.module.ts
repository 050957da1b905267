import { Module } from '@nestjs/common';
import { AccessTokensModule } from '../auth/access-tokens.module.js';
import { TransfersModule } from '../transfers/transfers.module.js';
import { PhoneTransfersController } from './phone-transfers.controller.js';

/** Only where the apps of phones are registered: a route that no app can satisfy is refused at start-up. */
@Module({ imports: [AccessTokensModule, TransfersModule], controllers: [PhoneTransfersController] })
export class PhonesModule {}
