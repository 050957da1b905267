import { readBounded } from './answer.js';
import { limited, quietly } from './waiting.js';

/** What became of one attempt of a guarded request, of an enrolment or of a retirement. Holds no secret. */
export interface DefenderDecision {
  /** Origin and path, without query. */
  readonly url: string;
  readonly method: string;
  /** 1, or 2 for the one retry; counted anew after a redirect. */
  readonly attempt: number;
  /** The HTTP status. */
  readonly status: number;
  /**
   * - `refused`: a TAB refusal, or an enrolment that was not accepted;
   * - `monitored`: let through, and would have been refused;
   * - `accepted`: everything else, the application's own errors included.
   */
  readonly outcome: 'accepted' | 'refused' | 'monitored';
  /** The code of the refusal, or of what would have been one. */
  readonly code?: string;
  /** Id of the server's record, to quote to its operator. */
  readonly decision?: string;
  /** Milliseconds from sending to the head of the answer, by the monotonic clock. */
  readonly durationMs: number;
}

/** Called for every answer, soon after it. What it throws is ignored. */
export type DecisionHook = (decision: DefenderDecision) => void;

/** What the caller knows of the attempt. */
export interface AttemptFacts {
  readonly url: URL;
  readonly method: string;
  readonly attempt: number;
  readonly outcome: DefenderDecision['outcome'];
  readonly code?: string;
  readonly durationMs: number;
}

/** Octets of a problem document that are read for its `decision`. */
const MAX_PROBLEM = 8_192;
/** Milliseconds that its content may take. */
const MAX_WAIT = 5_000;
const CODE = /^[a-z_]{1,40}$/;
const DECISION = /^[\x21-\x7e]{1,128}$/;

/**
 * Tells `hook` about `response`, whose content is left to the caller: a copy of it is read, behind the caller's back and
 * only of a small problem document.
 */
export function report(hook: DecisionHook | undefined, response: Response, facts: AttemptFacts): void {
  if (!hook) return;
  const { url, method, attempt, outcome, code, durationMs } = facts;
  const known: DefenderDecision = {
    url: url.origin + url.pathname,
    method,
    attempt,
    status: response.status,
    outcome,
    // A header is what a server, or somebody on the way, wrote: only the form of a code goes on.
    ...(code !== undefined && CODE.test(code) && { code }),
    durationMs,
  };
  if (outcome !== 'refused' || !isSmallProblem(response)) return quietly(() => hook(known));
  const copy = response.clone();
  quietly(async () => {
    const decision = await decisionOf(copy);
    return hook({ ...known, ...(decision !== undefined && { decision }) });
  });
}

function isSmallProblem({ headers, body, bodyUsed }: Response): boolean {
  const isProblem = /^application\/problem\+json\s*(?:;|$)/i.test(headers.get('content-type') ?? '');
  const length = headers.get('content-length') ?? '';
  return isProblem && /^\d{1,4}$/.test(length) && Number(length) <= MAX_PROBLEM && body !== null && !bodyUsed;
}

async function decisionOf(response: Response): Promise<string | undefined> {
  try {
    const never = new AbortController().signal;
    const text = await limited(MAX_WAIT, never, (signal) => readBounded(response, MAX_PROBLEM, signal));
    const problem: unknown = JSON.parse(text ?? 'null');
    const { decision } = (problem ?? {}) as { decision?: unknown };
    return typeof decision === 'string' && DECISION.test(decision) ? decision : undefined;
  } catch {
    // Cut off, or not JSON: the answer has no id to tell.
    return undefined;
  }
}
