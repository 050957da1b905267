import { UnauthorizedException } from '@nestjs/common';
import type { TrustContext } from 'nestjs-tab';

/**
 * The user of the session that was verified. Never from the body, never from a token that nobody checked.
 *
 * @param holder the user of the access token, as `AccessTokenGuard` has verified it. Only watch mode lets requests through
 *   that TAB would refuse; there it counts, as it did before there was TAB
 */
export function subjectOf(trust: TrustContext, holder?: string): string {
  const subject = trust.verified ? trust.subject : holder;
  if (subject === undefined) throw new UnauthorizedException();
  return subject;
}
