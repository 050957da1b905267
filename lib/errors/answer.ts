import type { TabError } from './tab-error.js';

/** The body of a refusal: `application/problem+json` (RFC 9457), with the members of PROTOCOL section 7. */
export interface TabProblem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  /** Id of the decision record, to quote to the operator. */
  readonly decision: string;
  /** Only with `exposeDetail`. */
  readonly detail?: string;
}

/** Media type of a `TabProblem`. */
export const PROBLEM_TYPE = 'application/problem+json';

/** Codes whose detail says what a policy looks for; it stays in the record even where details are exposed. */
const POLICY_CODES: ReadonlySet<string> = new Set(['insufficient_trust', 'step_up_required']);

const problems = new WeakSet<object>();

/** Whether a body was made by `problemOf`. */
export function isTabProblem(body: unknown): body is TabProblem {
  return typeof body === 'object' && body !== null && problems.has(body);
}

/** The problem document of a refusal. */
export function problemOf(error: TabError, decision: string, exposeDetail: boolean): TabProblem {
  const problem: TabProblem = {
    type: `urn:tab:error:${error.code}`,
    title: error.title,
    status: error.status,
    code: error.code,
    decision,
    ...(exposeDetail && !POLICY_CODES.has(error.code) && { detail: error.detail }),
  };
  problems.add(problem);
  return problem;
}

function wwwAuthenticate({ code, hints }: TabError): string {
  const parameters = [`error="${code}"`];
  if (hints.requirement !== undefined) parameters.push(`requirement="${hints.requirement}"`);
  if (hints.maxAge !== undefined) parameters.push(`max_age=${hints.maxAge}`);
  return `TAB ${parameters.join(', ')}`;
}

/** `Date` and `TAB-Skew`, by which a client with a wrong clock finds the right time. */
export function skewHeaders(error: TabError, now: number): [name: string, value: string][] {
  if (error.hints.skew === undefined) return [];
  return [
    ['Date', new Date(now).toUTCString()],
    ['TAB-Skew', String(error.hints.skew)],
  ];
}

/**
 * The headers of a refusal (PROTOCOL section 7), all but `TAB-Nonce` and the media type.
 *
 * @param now milliseconds since the epoch
 */
export function refusalHeaders(error: TabError, now: number): [name: string, value: string][] {
  const headers: [string, string][] = [
    ['TAB-Error', error.code],
    ['Cache-Control', 'no-store'],
    ...skewHeaders(error, now),
  ];
  if (error.status === 401 || error.status === 403) headers.push(['WWW-Authenticate', wwwAuthenticate(error)]);
  if (error.status === 429 || error.status === 503) headers.push(['Retry-After', String(error.hints.retryAfter ?? 1)]);
  return headers;
}
