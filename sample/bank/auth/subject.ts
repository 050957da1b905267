import { UnauthorizedException } from '@nestjs/common';
import type { TrustContext } from 'nestjs-tab';

/** The user of the session that was verified. Never from the body, never from a token that nobody checked. */
export function subjectOf(trust: TrustContext): string {
  if (!trust.verified || trust.subject === undefined) throw new UnauthorizedException();
  return trust.subject;
}
