import { withDeadline } from '../errors/deadline.js';
import { TabError } from '../errors/tab-error.js';
import type { RuntimeEvidence } from '../token/claims.types.js';
import type { TokenProof } from '../token/proof-key-id.js';
import type { AppraisedInstance } from './appraisal.types.js';

/** What a rule may look at besides the evidence. All of it has been verified. */
export interface AppraisalContext {
  /** The app as the token names it. */
  readonly app: { readonly id: string; readonly version: string };
  readonly instance: AppraisedInstance;
  /** Whether the instance key itself signed, or a proof key of the instance was used (`'mac'`). */
  readonly proof: TokenProof;
  /** Subject of the bound session, where the requirement asks for one. */
  readonly subject: string | undefined;
  readonly method: string;
  /** The path octets as sent, without the query. */
  readonly path: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

/**
 * What a rule says. `'pass'`; `{ deny }`: `insufficient_trust`, and a breach; `{ stepUp }`: `step_up_required`, for a newer
 * attestation; `{ flag }`: passes, and the handler sees the flag. The text is for operators, or the name of the flag.
 */
export type AppraisalVerdict =
  'pass' | { readonly deny: string } | { readonly stepUp: string } | { readonly flag: string };

/**
 * A rule of the application's own. Name the function: the name is what operators find in the record. A rule that throws, or
 * answers anything else, refuses the request with `store_unavailable`.
 */
export type AppraisalRule = (
  evidence: RuntimeEvidence,
  context: AppraisalContext,
) => AppraisalVerdict | Promise<AppraisalVerdict>;

async function ask(
  rule: AppraisalRule,
  evidence: RuntimeEvidence,
  context: AppraisalContext,
  timeout: number,
): Promise<AppraisalVerdict> {
  const name = rule.name || 'a rule without a name';
  try {
    return await withDeadline(`rule ${name}`, timeout, () => rule(evidence, context));
  } catch (cause) {
    throw new TabError('store_unavailable', `rule ${name} failed`, { cause });
  }
}

/** Turns a verdict into the flag that it raises, if any. @throws TabError for everything that is not a pass */
function settle(verdict: AppraisalVerdict, name: string): string | undefined {
  if (verdict === 'pass') return undefined;
  if (typeof verdict === 'object' && verdict !== null) {
    if ('deny' in verdict)
      throw new TabError('insufficient_trust', `rule ${name}: ${verdict.deny}`, { reason: 'breach' });
    if ('stepUp' in verdict) {
      throw new TabError('step_up_required', `rule ${name}: ${verdict.stepUp}`, {
        hints: { requirement: 'attestation' },
      });
    }
    if ('flag' in verdict) return verdict.flag;
  }
  throw new TabError('store_unavailable', `rule ${name} gave no verdict`);
}

/**
 * Asks the rules in their order; the first that does not pass refuses. Returns the flags that they raise.
 *
 * @param timeout milliseconds that one rule may take
 */
export async function applyRules(
  rules: readonly AppraisalRule[],
  evidence: RuntimeEvidence,
  context: AppraisalContext,
  timeout = 5000,
): Promise<readonly string[]> {
  const flags: string[] = [];
  for (const rule of rules) {
    const flag = settle(await ask(rule, evidence, context, timeout), rule.name || 'without a name');
    if (flag !== undefined) flags.push(flag);
  }
  return flags;
}
