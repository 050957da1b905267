import { Body, Controller, Post, UseGuards } from '@nestjs/common';
import { RequireTrust, Trust, type TrustContext } from 'nestjs-tab';
import { AccessTokenGuard, TokenHolder } from '../auth/access-token.guard.js';
import { subjectOf } from '../auth/subject.js';
import { readOrder } from './transfer-order.js';
import { TransfersService, type CompletedTransfer } from './transfers.service.js';

@Controller('transfers')
@UseGuards(AccessTokenGuard)
export class TransfersController {
  readonly #transfers: TransfersService;

  constructor(transfers: TransfersService) {
    this.#transfers = transfers;
  }

  @Post()
  @RequireTrust('transfer')
  create(
    @Trust() trust: TrustContext,
    @TokenHolder() holder: string,
    @Body() body: unknown,
  ): Promise<CompletedTransfer> {
    return this.#transfers.transfer(subjectOf(trust, holder), readOrder(body));
  }
}
