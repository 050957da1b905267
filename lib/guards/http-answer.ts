import { Logger } from '@nestjs/common';
import { refusalHeaders, skewHeaders, PROBLEM_TYPE } from '../errors/answer.js';
import type { TabError } from '../errors/tab-error.js';
import { TabException } from '../errors/tab-exception.js';
import { markProvenance, UnverifiedContext, type TrustContext } from '../trust/trust-context.js';
import type { AcceptedVerification, RefusedVerification } from '../verifier/verification.js';
import { attachTrust, setReplyHeader, type HttpReply, type HttpRequest } from './http-exchange.js';

/** What answering needs to know of the settings. */
export interface AnswerSettings {
  readonly exposeDetail: boolean;
  readonly clock: () => number;
}

const logger = new Logger('TabGuard');

/** Tells operators about what is not the client's fault. Causes of other refusals may quote what the client sent and stay out of the log. */
function reportFailure(error: TabError, decision: string): void {
  if (error.code !== 'store_unavailable') return;
  const cause =
    error.cause instanceof Error ? `${error.cause.name}: ${error.cause.message.slice(0, 200)}` : 'no cause given';
  logger.error(`decision ${decision}: ${error.detail} (${cause})`);
}

/** Sets the headers of a refusal now, so that no exception filter can lose them, and makes the exception to throw. */
export function refusal(
  reply: HttpReply,
  error: TabError,
  decision: string,
  settings: AnswerSettings,
  nextChallenge?: string,
): TabException {
  reportFailure(error, decision);
  for (const [name, value] of refusalHeaders(error, settings.clock())) setReplyHeader(reply, name, value);
  if (nextChallenge !== undefined) setReplyHeader(reply, 'TAB-Nonce', nextChallenge);
  setReplyHeader(reply, 'Content-Type', PROBLEM_TYPE);
  return new TabException(error, decision, settings.exposeDetail);
}

/** Lets an accepted request through: its context attached, and answers about a user kept out of shared caches by default. */
export function accept(request: HttpRequest, reply: HttpReply, verification: AcceptedVerification): void {
  const { context, challenged, credentialHash, nextChallenge } = verification;
  markProvenance(context, {
    challenged,
    credentialHash,
    setHeader: (name, value) => setReplyHeader(reply, name, value),
  });
  attachTrust(request, context);
  setReplyHeader(reply, 'Cache-Control', 'private, no-store');
  // The request passes on its merits; the header says that a threat was found which the policy only watches for.
  if (verification.decision.watched.length > 0) setReplyHeader(reply, 'TAB-Monitor', 'insufficient_trust');
  if (nextChallenge !== undefined) setReplyHeader(reply, 'TAB-Nonce', nextChallenge);
}

/** Monitor mode: lets a refused request through, marked, with a context that vouches for nothing. */
export function passMonitored(
  request: HttpRequest,
  reply: HttpReply,
  { error, decision, nextChallenge }: RefusedVerification,
  settings: AnswerSettings,
): TrustContext {
  reportFailure(error, decision.id);
  const context = new UnverifiedContext(error.code, decision.id);
  markProvenance(context, {
    challenged: false,
    credentialHash: undefined,
    setHeader: (name, value) => setReplyHeader(reply, name, value),
  });
  attachTrust(request, context);
  setReplyHeader(reply, 'Cache-Control', 'private, no-store');
  setReplyHeader(reply, 'TAB-Monitor', error.code);
  for (const [name, value] of skewHeaders(error, settings.clock())) setReplyHeader(reply, name, value);
  if (nextChallenge !== undefined) setReplyHeader(reply, 'TAB-Nonce', nextChallenge);
  return context;
}
