import { Controller, Get, Res, UseGuards } from '@nestjs/common';
import type { Response } from 'express';
import { RequireTrust, Trust, type TrustContext } from 'nestjs-tab';
import { AccessTokenGuard, TokenHolder } from '../auth/access-token.guard.js';
import { subjectOf } from '../auth/subject.js';
import { BankDatabase } from '../database/bank-database.js';
import { Account } from '../database/entities.js';
import { noticeOf } from './notice.js';

/** The accounts of the user. */
@Controller('accounts')
@UseGuards(AccessTokenGuard)
@RequireTrust('browse')
export class AccountsController {
  readonly #database: BankDatabase;

  constructor(database: BankDatabase) {
    this.#database = database;
  }

  @Get()
  list(
    @Trust() trust: TrustContext,
    @TokenHolder() holder: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Account[]> {
    const owner = subjectOf(trust, holder);
    const notice = noticeOf(trust);
    if (notice !== undefined) response.setHeader('Bank-Notice', notice);
    return this.#database.read((manager) => manager.find(Account, { where: { owner }, order: { id: 'ASC' } }));
  }
}
