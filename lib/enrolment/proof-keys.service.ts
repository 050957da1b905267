import { CompactEncrypt, importJWK } from 'jose';
import { TabError } from '../errors/tab-error.js';
import { secondsOf } from '../token/clock.js';
import { isJsonObject, isNestedWithin, parseJsonObject } from '../token/json.js';
import { importPublicKey, readPublicJwk, thumbprint } from '../token/jwk.js';
import type { PublicJwk } from '../token/claims.types.js';
import { PROOF_KEY_ALGORITHM } from '../token/proof-key-id.js';
import type { ProofKeys } from '../token/proof-key.js';
import type { RequestContent } from '../token/request.js';
import { mergeRequirements, type TrustRequirement } from '../trust/requirement.js';
import { RateLimiter } from './rate-limiter.js';

/** Largest body of a proof-key request, in octets; a public P-256 JWK has some 130. */
export const PROOF_KEY_BODY_MAX_OCTETS = 2048;
/** The body, the key in it, and a list such as `key_ops` that the key may bring along. */
const MAX_NESTING = 4;

/** What the service needs of the module's settings. */
export interface ProofKeyServiceSettings {
  /** Undefined: there are none. */
  readonly proofKeys?: ProofKeys;
  /** Requests a minute from one network address, on one node. */
  readonly proofKeyRequestsPerMinute: number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** The answer to a proof-key request (PROTOCOL section 10). */
export interface ProofKeyAnswer {
  readonly kid: string;
  readonly alg: typeof PROOF_KEY_ALGORITHM;
  /** Compact JWE of the 32 key octets, for the recipient key of the request alone. */
  readonly jwe: string;
  /** Seconds. */
  readonly expiresIn: number;
}

/** Trades a signed request for a short-lived MAC key (PROTOCOL section 10). */
export class ProofKeyService {
  /**
   * What such a request must prove: what the module's policy asks of every request, by the instance key, over a challenge that
   * is spent, and enforced also in monitor mode. It comes before any session, and headers are the application's affair.
   */
  readonly requirement: TrustRequirement;
  readonly #settings: ProofKeyServiceSettings;
  readonly #requests: RateLimiter;

  /** @param base the module's policy */
  constructor(settings: ProofKeyServiceSettings, base: TrustRequirement) {
    this.#settings = settings;
    this.#requests = new RateLimiter(settings.proofKeyRequestsPerMinute);
    this.requirement = mergeRequirements(base, {
      session: 'none',
      proof: 'signature',
      challenge: 'single-use',
      body: true,
      headers: [],
      mode: 'enforce',
    });
  }

  /** Whether there are any. */
  get enabled(): boolean {
    return this.#settings.proofKeys !== undefined;
  }

  /** Counts a request that has proven nothing yet. @throws TabError `rate_limited` */
  count(address: string): void {
    this.#requests.check(address, this.#now());
  }

  /**
   * Makes a key for the instance whose own verified request asks for it.
   *
   * @throws TabError `malformed_token` when the body is not what it must be
   */
  async issue(instanceId: string, content: RequestContent): Promise<ProofKeyAnswer> {
    const { proofKeys } = this.#settings;
    if (proofKeys === undefined) throw new TabError('unsupported_alg', 'proof keys are not configured');
    const recipient = readRecipientKey(content, instanceId);
    const { kid, octets, expiresIn } = proofKeys.issue(instanceId, this.#now());
    return { kid, alg: PROOF_KEY_ALGORITHM, jwe: await encryptFor(recipient, octets, instanceId), expiresIn };
  }

  #now(): number {
    return secondsOf(this.#settings.clock);
  }
}

function malformed(detail: string): TabError {
  return new TabError('malformed_token', `proof-key request: ${detail}`);
}

/** Reads the body: a public P-256 key, on its curve, that is not the instance key itself. */
function readRecipientKey(content: RequestContent, instanceId: string): PublicJwk {
  if (content.kind !== 'octets') throw malformed('there is no body');
  if (content.octets.length > PROOF_KEY_BODY_MAX_OCTETS) throw malformed('body is too large');
  const body = parseJsonObject(content.octets);
  if (body === undefined || !isNestedWithin(body, MAX_NESTING) || !isJsonObject(body.recipientKey))
    throw malformed('body is ill-typed');
  const key = readPublicJwk(body.recipientKey);
  if (key.kty !== 'EC' || key.crv !== 'P-256') throw malformed('recipientKey is not a P-256 key');
  // A key that signs is not one to agree on keys with.
  if (thumbprint(key) === instanceId) throw malformed('recipientKey is the instance key');
  // Ensures that the point lies on the curve.
  importPublicKey(key);
  return key;
}

const utf8 = new TextEncoder();

/** ECDH-ES with A256GCM; `apu` and `apv` tie the key to who gives it to whom (RFC 7518 section 4.6.1). */
async function encryptFor(recipient: PublicJwk, octets: Uint8Array, instanceId: string): Promise<string> {
  const key = await importJWK({ ...recipient }, 'ECDH-ES');
  return new CompactEncrypt(octets)
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' })
    .setKeyManagementParameters({ apu: utf8.encode(instanceId), apv: utf8.encode(thumbprint(recipient)) })
    .encrypt(key);
}
