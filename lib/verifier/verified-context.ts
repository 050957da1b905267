import type { AppInstance, BoundSession } from '../bindings/binding.types.js';
import type { Appraisal } from '../trust/appraisal.types.js';
import type { VerifiedTrust } from '../trust/trust-context.js';
import type { AuthenticToken } from './steps.types.js';

/** What a handler may know of an accepted request. */
export function makeContext(
  decision: string,
  { claims, proof }: AuthenticToken,
  instance: AppInstance,
  session: BoundSession | undefined,
  appraisal: Appraisal,
): VerifiedTrust {
  return Object.freeze({
    verified: true as const,
    decision,
    instance: {
      id: instance.id,
      appId: instance.appId,
      appVersion: claims.app.ver,
      platform: instance.platform,
      assurance: appraisal.assurance,
      format: instance.format,
    },
    session: session && { id: session.id, subject: session.subject, expiresAt: session.expiresAt },
    subject: session?.subject,
    proof,
    evidence: claims.rt,
    flags: appraisal.flags,
  });
}
