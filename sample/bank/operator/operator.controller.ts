import { Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { SkipTrust, TabDecisions, type DecisionSummary, type TrustDecision } from 'nestjs-tab';
import { BANK_CONFIG, type BankConfig } from '../config.js';
import { OperatorGuard } from './operator.guard.js';
import { readListQuery, readSummaryQuery } from './operator-query.js';

/** What operators see: who was let in, who was not, and why. An operator's browser is no enrolled app, so a key opens it. */
@Controller('operator')
@SkipTrust()
@UseGuards(OperatorGuard)
export class OperatorController {
  readonly #decisions: TabDecisions;
  readonly #config: BankConfig;

  constructor(decisions: TabDecisions, @Inject(BANK_CONFIG) config: BankConfig) {
    this.#decisions = decisions;
    this.#config = config;
  }

  /** The latest decisions, newest first. */
  @Get('decisions')
  list(@Query() query: unknown): Promise<TrustDecision[]> {
    return this.#decisions.recent(readListQuery(query));
  }

  /** How many were accepted, refused and only watched, since a time. */
  @Get('summary')
  summarize(@Query() query: unknown): Promise<DecisionSummary> {
    return this.#decisions.summary(readSummaryQuery(query, this.#config.clock()));
  }
}
