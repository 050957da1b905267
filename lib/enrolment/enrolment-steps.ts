import type { KeyObject } from 'node:crypto';
import { TabError } from '../errors/tab-error.js';
import { SIGNATURE_ALGORITHMS } from '../token/algorithms.js';
import { checkContentHash } from '../token/binding.js';
import type { AuthenticChallenge } from '../token/challenge.js';
import type { PublicJwk, TabAlgorithm, TabClaims } from '../token/claims.types.js';
import { readClaims } from '../token/claims.js';
import { parseCompact, takeToken } from '../token/compact.js';
import { readEnrolTokenHeader } from '../token/header.js';
import { importPublicKey, readPublicJwk, thumbprint } from '../token/jwk.js';
import type { Origin } from '../token/origins.js';
import type { TabRequest } from '../token/request.js';
import { bindToRequest } from '../verifier/bind-step.js';
import { TOKEN_FIELD } from '../verifier/parse-step.js';
import type { VerifierSettings } from '../verifier/settings.js';
import { readEnrolmentBody, type EnrolmentBody } from './enrolment-body.js';

/** An enrolment request whose token is well-formed, for this request, over a challenge of ours, and by the key it names. */
export interface AuthenticEnrolment {
  readonly claims: TabClaims;
  readonly body: EnrolmentBody;
  readonly alg: TabAlgorithm;
  readonly publicKey: PublicJwk;
  readonly thumbprint: string;
  readonly challenge: AuthenticChallenge;
  readonly origin: Origin;
}

function readKey(
  alg: TabAlgorithm,
  jwk: Parameters<typeof readPublicJwk>[0],
): { publicKey: PublicJwk; key: KeyObject } {
  const publicKey = readPublicJwk(jwk);
  if (!SIGNATURE_ALGORITHMS[alg].accepts(publicKey))
    throw new TabError('unsupported_alg', 'alg is not for this type of key');
  return { publicKey, key: importPublicKey(publicKey) };
}

/** Ensures that body and token speak of the same app. */
function checkSameApp(claims: TabClaims, body: EnrolmentBody): void {
  if (claims.app.id !== body.app.id || claims.app.ver !== body.app.ver) {
    throw new TabError('request_mismatch', 'app of body and token differ');
  }
}

/** The first half of an enrolment: structure, claims, target, challenge authenticity, signature. Touches no store. */
export async function authenticateEnrolment(
  request: TabRequest,
  settings: VerifierSettings,
  now: number,
): Promise<AuthenticEnrolment> {
  const compact = parseCompact(takeToken(request.headers.values(TOKEN_FIELD)));
  const { alg, jwk } = readEnrolTokenHeader(compact.header, settings.algorithms);
  const claims = readClaims(compact.payload);
  const { publicKey, key } = readKey(alg, jwk);
  const body = readEnrolmentBody(request.content);
  const { origin } = bindToRequest(claims, request, { body: true, headers: [] }, settings, now);
  checkSameApp(claims, body);
  const challenge = settings.challenges.check(claims.nonce, 'enrol', now);
  await settings.signatures.check({ alg, key }, compact.signingInput, compact.signature);
  checkContentHash(claims, request);
  return { claims, body, alg, publicKey, thumbprint: thumbprint(publicKey), challenge, origin };
}
