import type { TabAlgorithm } from '../token/claims.types.js';
import { readClaims } from '../token/claims.js';
import { parseCompact, takeToken } from '../token/compact.js';
import { readTokenHeader } from '../token/header.js';
import type { TabRequest } from '../token/request.js';
import type { ParsedToken } from './steps.types.js';

/** Lower-case name of the header that carries the token. */
export const TOKEN_FIELD = 'tab-token';

/** Step 1: one header, size, structure, header members, claim types. */
export function parseStep(request: TabRequest, algorithms: ReadonlySet<TabAlgorithm>): ParsedToken {
  const compact = parseCompact(takeToken(request.headers.values(TOKEN_FIELD)));
  return { compact, header: readTokenHeader(compact.header, algorithms), claims: readClaims(compact.payload) };
}
