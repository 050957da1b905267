import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-custom';
import { GuardSettings } from '../guards/guard-settings.js';
import { accept, passMonitored, refusal } from '../guards/http-answer.js';
import { tabRequestOf, type HttpRequest } from '../guards/http-exchange.js';
import { replyOf } from '../guards/http-platform.js';
import { RequirementResolver } from '../guards/requirement-resolver.js';
import type { TrustRequirement } from '../trust/requirement.js';
import type { TrustContext } from '../trust/trust-context.js';
import { TabVerifier } from '../verifier/tab-verifier.js';

/** The user of a request that no other strategy has set one on. */
export interface TabPassportUser {
  /** Subject of the bound session, where the requirement asks for one. */
  readonly subject: string | undefined;
  readonly trust: TrustContext;
}

/**
 * The Passport strategy `tab`: `@UseGuards(AuthGuard('jwt'), AuthGuard('tab'))` asks for both. A list, `AuthGuard(['jwt',
 * 'tab'])`, is satisfied by either one, so a request with a good JWT would need no token. It verifies as `TabGuard` does
 * and shares its verification; a user that another strategy has set stays. Strategies do not see the handler, so the
 * requirement is the module's `policy`; for another one derive a strategy and override `requirement`. Passport's registry
 * is process-wide: two strategies need two names.
 */
@Injectable()
export class TabStrategy extends PassportStrategy(Strategy, 'tab') {
  constructor(
    @Inject(TabVerifier) protected readonly verifier: TabVerifier,
    @Inject(RequirementResolver) protected readonly requirements: RequirementResolver,
    @Inject(GuardSettings) protected readonly settings: GuardSettings,
  ) {
    super();
  }

  /** What the strategy asks for. */
  protected get requirement(): TrustRequirement {
    return this.requirements.base;
  }

  /** Called by Passport. @throws TabException when the request is refused */
  async validate(request: HttpRequest & { user?: unknown }): Promise<unknown> {
    const reply = replyOf(request);
    const verification = await this.verifier.verify(tabRequestOf(request), this.requirement);
    if (verification.accepted) {
      accept(request, reply, verification);
      return (
        request.user ??
        ({ subject: verification.context.subject, trust: verification.context } satisfies TabPassportUser)
      );
    }
    const { error, decision, nextChallenge } = verification;
    if (decision.enforced) throw refusal(reply, error, decision.id, this.settings, nextChallenge);
    const trust = passMonitored(request, reply, verification, this.settings);
    return request.user ?? ({ subject: undefined, trust } satisfies TabPassportUser);
  }
}
