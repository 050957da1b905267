import type { TabAlgorithm } from '../token/claims.types.js';
import { readClaims } from '../token/claims.js';
import { decodeObject, splitCompact, takeToken } from '../token/compact.js';
import { readTokenHeader } from '../token/header.js';
import type { TabRequest } from '../token/request.js';
import type { KnownHeaders } from './known-headers.js';
import type { ParsedToken } from './steps.types.js';

/** Lower-case name of the header that carries the token. */
export const TOKEN_FIELD = 'tab-token';

/**
 * Step 1: one header, size, structure, header members, claim types.
 *
 * @param proofKeys whether tokens under proof keys are taken
 * @param known headers that need not be read again
 */
export function parseStep(
  request: TabRequest,
  algorithms: ReadonlySet<TabAlgorithm>,
  proofKeys: boolean,
  known: KnownHeaders,
): ParsedToken {
  const compact = splitCompact(takeToken(request.headers.values(TOKEN_FIELD)));
  const knownHeader = known.get(compact.header);
  if (knownHeader !== undefined) {
    const claims = readClaims(decodeObject(compact.payload, 'payload'));
    return { compact, header: knownHeader, claims, newHeader: undefined };
  }
  const members = decodeObject(compact.header, 'header');
  const payload = decodeObject(compact.payload, 'payload');
  const header = readTokenHeader(members, algorithms, proofKeys);
  return { compact, header, claims: readClaims(payload), newHeader: compact.header };
}
