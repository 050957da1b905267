import type { AppInstance, BoundSession } from '../bindings/binding.types.js';
import type { Appraisal } from '../trust/appraisal.types.js';
import { VerifiedContext } from '../trust/trust-context.js';
import type { AuthenticToken } from './steps.types.js';

/** What a handler may know of an accepted request. */
export function makeContext(
  decision: string,
  { claims, proof }: AuthenticToken,
  instance: AppInstance,
  session: BoundSession | undefined,
  appraisal: Appraisal,
): VerifiedContext {
  return new VerifiedContext({
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
    proof,
    evidence: claims.rt,
    flags: appraisal.flags,
  });
}
