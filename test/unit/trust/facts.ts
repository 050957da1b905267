import { expect } from 'vitest';
import { TabError } from '../../../lib/errors/tab-error.js';
import { readClaims } from '../../../lib/token/claims.js';
import { appraise } from '../../../lib/trust/appraisal.js';
import type { TokenProof } from '../../../lib/token/proof-key-id.js';
import type { AppraisalInput } from '../../../lib/trust/appraisal.types.js';
import type { Assurance } from '../../../lib/trust/assurance.js';
import type { TrustRequirementOptions } from '../../../lib/trust/requirement.js';
import { aKey, anInstanceOf, NOW, requiring, someClaims, someEvidence } from '../../utils/core/index.js';

/** What is judged; what is left out is clean. */
export interface Facts {
  found?: string[];
  clear?: string[];
  /** Seconds before `iat`. */
  age?: number;
  version?: string;
  appMinimum?: string | null;
  probes?: string[];
  platform?: string;
  assurance?: Assurance;
  format?: string;
  /** Seconds after now. */
  expires?: number;
  /** Seconds before now. */
  attestedAgo?: number;
  /** Seconds before now. */
  createdAgo?: number;
  attested?: Record<string, unknown>;
  blocked?: string[];
  /** What the token was made with. */
  proof?: TokenProof;
}

/** The facts with nothing left out. */
export function completed(facts: Facts): Required<Facts> {
  return {
    found: [],
    clear: ['root', 'debugger'],
    age: 10,
    version: '1.4.0',
    appMinimum: null,
    probes: ['root', 'debugger'],
    platform: 'android',
    assurance: 'software',
    format: 'client-attestation',
    expires: 1000,
    attestedAgo: 1000,
    createdAgo: 1e9,
    attested: {},
    blocked: [],
    proof: 'signature',
    ...facts,
  };
}

/** What `appraise` is given for them. */
export function inputOf(given: Facts): AppraisalInput {
  const facts = completed(given);
  const { found, clear, platform, assurance, format } = facts;
  const rt = someEvidence({ at: NOW - facts.age, found, clear });
  return {
    claims: readClaims(someClaims({ rt, app: { id: 'com.example.app', ver: facts.version } })),
    app: { minVersion: facts.appMinimum, probes: facts.probes },
    instance: anInstanceOf(aKey(), {
      platform,
      assurance,
      format,
      attestedAt: NOW - facts.attestedAgo,
      attestationExpiresAt: NOW + facts.expires,
      attestationClaims: facts.attested,
      createdAt: NOW - facts.createdAgo,
    }),
    proof: facts.proof,
    blockedVersions: facts.blocked,
    now: NOW,
  };
}

/** The outcome of an appraisal in one word. */
export function judge(facts: Facts, requirement: TrustRequirementOptions): string {
  try {
    appraise(inputOf(facts), requiring(requirement));
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(TabError);
    return (error as TabError).code;
  }
}
