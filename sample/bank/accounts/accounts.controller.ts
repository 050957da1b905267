import { Controller, Get, UseGuards } from '@nestjs/common';
import { Trust, type TrustContext } from 'nestjs-tab';
import { AccessTokenGuard } from '../auth/access-token.guard.js';
import { subjectOf } from '../auth/subject.js';
import { BankDatabase } from '../database/bank-database.js';
import { Account } from '../database/entities.js';

/** The accounts of the user. */
@Controller('accounts')
@UseGuards(AccessTokenGuard)
export class AccountsController {
  readonly #database: BankDatabase;

  constructor(database: BankDatabase) {
    this.#database = database;
  }

  @Get()
  list(@Trust() trust: TrustContext): Promise<Account[]> {
    const owner = subjectOf(trust);
    return this.#database.read((manager) => manager.find(Account, { where: { owner }, order: { id: 'ASC' } }));
  }
}
