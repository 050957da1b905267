import { Body, Controller, Post, UseGuards } from '@nestjs/common';
import { RequireTrust, Trust, type TrustContext } from 'nestjs-tab';
import { AccessTokenGuard, TokenHolder } from '../auth/access-token.guard.js';
import { subjectOf } from '../auth/subject.js';
import { readOrder } from '../transfers/transfer-order.js';
import { TransfersService, type CompletedTransfer } from '../transfers/transfers.service.js';

/** Transfers for which it matters what a phone can prove. */
@Controller('transfers')
@UseGuards(AccessTokenGuard)
export class PhoneTransfersController {
  readonly #transfers: TransfersService;

  constructor(transfers: TransfersService) {
    this.#transfers = transfers;
  }

  /** For phones whose instance key is in hardware. */
  @Post('hardware')
  @RequireTrust('transfer', { assurance: 'tee', keyBound: true })
  hardware(
    @Trust() trust: TrustContext,
    @TokenHolder() holder: string,
    @Body() body: unknown,
  ): Promise<CompletedTransfer> {
    return this.#transfers.transfer(subjectOf(trust, holder), readOrder(body));
  }

  /** For iPhones, which vouch for this very request. */
  @Post('asserted')
  @RequireTrust('transfer', { assertion: true, keyBound: true })
  asserted(
    @Trust() trust: TrustContext,
    @TokenHolder() holder: string,
    @Body() body: unknown,
  ): Promise<CompletedTransfer> {
    return this.#transfers.transfer(subjectOf(trust, holder), readOrder(body));
  }
}
