import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';

import type { TrustRequirement } from '../trust/requirement.js';
import { TabVerifier } from '../verifier/tab-verifier.js';
import type { Verification } from '../verifier/verification.js';
import { GuardSettings } from './guard-settings.js';
import { accept, passMonitored, refusal } from './http-answer.js';
import { routeOf, tabRequestOf, type HttpReply, type HttpRequest } from './http-exchange.js';
import { handlerOf, RequirementResolver } from './requirement-resolver.js';

/** The two sides of an HTTP exchange, as the framework has them. */
export interface HttpExchange {
  readonly request: HttpRequest;
  readonly reply: HttpReply;
}

/**
 * Lets a request through only with a TAB token that proves what the handler's requirement asks for. Use it through
 * `@RequireTrust()`, with `@UseGuards(TabGuard)`, or as `APP_GUARD` for everything. Several on one request share one
 * verification. Override a step to change it.
 */
@Injectable()
export class TabGuard implements CanActivate {
  constructor(
    @Inject(TabVerifier) protected readonly verifier: TabVerifier,
    @Inject(RequirementResolver) protected readonly requirements: RequirementResolver,
    @Inject(GuardSettings) protected readonly settings: GuardSettings,
  ) {}

  /** @throws TabException when the request is refused */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.isSkipped(context)) return true;
    const exchange = this.exchangeOf(context);
    const verification = await this.verify(exchange, this.requirementOf(context), context);
    return this.answer(exchange, verification);
  }

  /** Whether the handler is left out by `@SkipTrust()`. */
  protected isSkipped(context: ExecutionContext): boolean {
    return this.requirements.isSkipped(handlerOf(context));
  }

  /** What the handler asks for. */
  protected requirementOf(context: ExecutionContext): TrustRequirement {
    return this.requirements.resolve(handlerOf(context));
  }

  /** The HTTP exchange of the context. Other transports are refused rather than let through unverified. */
  protected exchangeOf(context: ExecutionContext): HttpExchange {
    if (context.getType() !== 'http')
      throw new TypeError(`TabGuard cannot verify the transport '${context.getType()}'`);
    const http = context.switchToHttp();
    return { request: http.getRequest<HttpRequest>(), reply: http.getResponse<HttpReply>() };
  }

  /** Verifies the request by the requirement. */
  protected verify(
    { request }: HttpExchange,
    requirement: TrustRequirement,
    context: ExecutionContext,
  ): Promise<Verification> {
    const handler = `${context.getClass().name}.${context.getHandler().name}`;
    return this.verifier.verify(tabRequestOf(request), requirement, { route: routeOf(request), handler });
  }

  /** Lets the request through or throws. */
  protected answer({ request, reply }: HttpExchange, verification: Verification): boolean {
    if (verification.accepted) {
      accept(request, reply, verification);
      return true;
    }
    if (verification.decision.enforced) {
      const { error, decision, nextChallenge } = verification;
      throw refusal(reply, error, decision.id, this.settings, nextChallenge);
    }
    passMonitored(request, reply, verification, this.settings);
    return true;
  }
}
