import type { Bindings } from '../bindings/binding.types.js';
import type { AuthenticChallenge } from '../token/challenge.js';
import type { TabAlgorithm, TabClaims } from '../token/claims.types.js';
import type { SignedOctets } from '../token/compact.js';
import type { RequestCredential } from '../token/credential.js';
import type { TokenHeader } from '../token/header.js';
import type { Origin } from '../token/origins.js';
import type { TokenProof } from '../token/proof-key-id.js';

/*
 * Each step takes what the one before has proven, so that a later step cannot run on less:
 * ParsedToken → BoundToken → AuthenticToken → an accepted decision.
 */

/** After step 1: well-formed, and nothing more. */
export interface ParsedToken {
  readonly compact: SignedOctets;
  readonly header: TokenHeader;
  readonly claims: TabClaims;
  /** The text of the header, if it was not known. */
  readonly newHeader: string | undefined;
}

/** What step 2 finds out about the request that a token claims to be for. */
export interface RequestBinding {
  readonly origin: Origin;
  readonly credential: RequestCredential | undefined;
}

/** After step 2: made for this request, just now, over a challenge of ours; by whom is not known yet. */
export interface BoundToken extends RequestBinding {
  readonly parsed: ParsedToken;
  /** Undefined where the policy asks for none. */
  readonly challenge: AuthenticChallenge | undefined;
}

/** After step 3: by an instance, either signed by its key or under a proof key that it was given. */
export interface AuthenticToken {
  readonly instanceId: string;
  readonly claims: TabClaims;
  readonly proof: TokenProof;
  /** By which the signature was verified; undefined under a proof key. */
  readonly algorithm: TabAlgorithm | undefined;
  /** When the proof key was given out, seconds since the epoch; undefined for a signature. */
  readonly proofIssuedAt?: number;
  /** State read with the key in this very request; undefined when the key was at hand, and under a proof key. */
  readonly preloaded: Bindings | undefined;
}
