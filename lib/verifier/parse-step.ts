import type { TabAlgorithm } from '../token/claims.types.js';
import { readClaims } from '../token/claims.js';
import { parseCompact, takeToken } from '../token/compact.js';
import { readTokenHeader } from '../token/header.js';
import type { TabRequest } from '../token/request.js';
import type { ParsedToken } from './steps.types.js';

/** Lower-case name of the header that carries the token. */
export const TOKEN_FIELD = 'tab-token';

/**
 * Step 1: one header, size, structure, header members, claim types.
 *
 * @param proofKeys whether tokens under proof keys are taken
 */
export function parseStep(request: TabRequest, algorithms: ReadonlySet<TabAlgorithm>, proofKeys: boolean): ParsedToken {
  const compact = parseCompact(takeToken(request.headers.values(TOKEN_FIELD)));
  const header = readTokenHeader(compact.header, algorithms, proofKeys);
  return { compact, header, claims: readClaims(compact.payload) };
}
