import type { TabErrorCode } from '../errors/codes.js';
import type { RuntimeEvidence } from '../token/claims.types.js';
import type { TokenProof } from '../token/proof-key-id.js';
import type { Assurance } from './assurance.js';

/** A verified request, as handlers see it through `@Trust()`. */
export interface VerifiedTrust {
  readonly verified: true;
  /** Id of the decision record. */
  readonly decision: string;
  readonly instance: {
    readonly id: string;
    readonly appId: string;
    /** The running version, as the token said. */
    readonly appVersion: string;
    readonly platform: string;
    /** As it counts now: `none` once the attestation has expired, `software` at most under a proof key. */
    readonly assurance: Assurance;
    readonly format: string;
  };
  /** Undefined where the requirement did not ask for a session or the token named none. */
  readonly session: { readonly id: string; readonly subject: string; readonly expiresAt: number } | undefined;
  /** The subject of the session. */
  readonly subject: string | undefined;
  /** Whether the instance key itself signed, or a proof key of the instance was used (`'mac'`). */
  readonly proof: TokenProof;
  readonly evidence: RuntimeEvidence;
  /** Threats found that the policy let through. */
  readonly flags: readonly string[];
}

/** Monitor mode: a request that would have been refused. It says nothing about who sent it. */
export interface UnverifiedTrust {
  readonly verified: false;
  readonly code: TabErrorCode;
  readonly decision: string;
}

/** What `@Trust()` gives. Ask `verified` before using anything else. */
export type TrustContext = VerifiedTrust | UnverifiedTrust;

/** What a session start has to know about the request beyond its context, and where it puts its answer. */
export interface TrustProvenance {
  /** Whether the request carried a server challenge that was checked. */
  readonly challenged: boolean;
  /** Hash of the credential that the request carried, if any. */
  readonly credentialHash: string | undefined;
  /** Sets a header of the answer. */
  setHeader(name: string, value: string): void;
}

/**
 * What both kinds of context are made from. It keeps the provenance where nobody else can read, copy or forge it: sessions
 * are bound only to contexts that a verification made, and a look-alike object is not one. (A weak map would do the same, but
 * its entries are dear to the garbage collector, and every request makes one.)
 */
class TrustRecord {
  #provenance: TrustProvenance | undefined;

  static mark(context: TrustRecord, provenance: TrustProvenance): void {
    context.#provenance = provenance;
  }

  static provenanceOf(context: object): TrustProvenance | undefined {
    return #provenance in context ? context.#provenance : undefined;
  }
}

/** A verified context, frozen. */
export class VerifiedContext extends TrustRecord implements VerifiedTrust {
  readonly verified = true;
  readonly decision: string;
  readonly instance: VerifiedTrust['instance'];
  readonly session: VerifiedTrust['session'];
  readonly subject: string | undefined;
  readonly proof: TokenProof;
  readonly evidence: RuntimeEvidence;
  readonly flags: readonly string[];

  constructor(members: Omit<VerifiedTrust, 'verified' | 'subject'>) {
    super();
    this.decision = members.decision;
    this.instance = members.instance;
    this.session = members.session;
    this.subject = members.session?.subject;
    this.proof = members.proof;
    this.evidence = members.evidence;
    this.flags = members.flags;
    Object.freeze(this);
  }
}

/** The context of a request that is let through without having been verified, frozen. */
export class UnverifiedContext extends TrustRecord implements UnverifiedTrust {
  readonly verified = false;

  constructor(
    readonly code: TabErrorCode,
    readonly decision: string,
  ) {
    super();
    Object.freeze(this);
  }
}

/** Says where a context comes from, once the request is let through. */
export function markProvenance(context: VerifiedContext | UnverifiedContext, provenance: TrustProvenance): void {
  TrustRecord.mark(context, provenance);
}

/** The provenance of a context, or undefined for an object that no verification made. */
export function provenanceOf(context: TrustContext): TrustProvenance | undefined {
  return TrustRecord.provenanceOf(context);
}
