import { isJsonObject, type JsonObject } from '../../token/json.js';
import type { AttestationInput, AttestationResult, Attester, FinishAttestation } from '../attester.js';
import { hasPrivateMembers } from '../../token/jwk.js';
import { jwkThumbprint } from '../jose/jwk.js';
import { checkHeader, parseSignedJwt, verifySignedJwt } from '../jose/signed-jwt.js';
import { readClaims, reject, type AttestationClaims } from './claims.js';
import type { ClientAttestationOptions } from './client-attestation.types.js';
import { resolveSettings, type Issuer, type Settings } from './settings.js';

const FORMAT = 'client-attestation';
const TYP = 'oauth-client-attestation+jwt';
/** Longest attestation accepted, in characters. */
const JWT_MAX_LENGTH = 8192;
/** Seconds that the issuer's clock may be ahead of ours. */
const TOLERANCE = 15;

/**
 * Accepts attestations of draft-ietf-oauth-attestation-based-client-auth: a JWT in which a service of the app's maker
 * vouches for the instance key (`cnf.jwk`). The enrolment token is its proof of possession, so no separate one is sent.
 * The same attestation may be presented again until it expires, by the same key only.
 *
 * `examine` throws AttestationError with a `ClientAttestationCheck`. What it returns throws that too, or TabError
 * `store_unavailable` when the issuer's keys cannot be had.
 *
 * @throws TabConfigError when the options cannot work
 */
export function clientAttestation(options: ClientAttestationOptions): Attester {
  const settings = resolveSettings(options);
  return { format: FORMAT, reach: settings.reach, examine: (input) => examine(settings, input) };
}

function examine(settings: Settings, input: AttestationInput): FinishAttestation {
  const { jwt, header, claims } = parseSignedJwt(jwtOf(input.statement), JWT_MAX_LENGTH);
  const issuer = selectIssuer(settings, claims['iss']);
  const hint = checkHeader(header, TYP, issuer.algorithms);
  appraise(claims, issuer, settings, input);
  // Ensures that a key that cannot be found later is refused before anything is spent.
  if (issuer.keys.excludes(hint)) reject('issuer-key', 'no key of the issuer fits the header');
  // Only what was signed counts: the result is made anew from the octets that verified.
  return async () => appraise(await verifySignedJwt(jwt, hint, issuer.keys), issuer, settings, input);
}

function jwtOf(statement: unknown): unknown {
  if (!isJsonObject(statement) || !Object.hasOwn(statement, 'jwt'))
    return reject('statement', 'not an object with jwt');
  return statement['jwt'];
}

/** The issuer that is named; else the one configured without a name. Keys of several are never tried in turn. */
function selectIssuer({ issuers }: Settings, iss: unknown): Issuer {
  if (iss !== undefined && typeof iss !== 'string') return reject('claims', 'iss is not a string');
  return issuers.get(iss) ?? issuers.get(undefined) ?? reject('issuer', 'no configured issuer is meant');
}

/** Every check of the claims, in one place, so that none is forgotten for those that verified. */
function appraise(payload: JsonObject, issuer: Issuer, settings: Settings, input: AttestationInput): AttestationResult {
  const claims = readClaims(payload);
  checkParties(claims, issuer, settings, input);
  checkTimes(claims, input.now);
  checkConfirmation(claims.confirmationKey, input.thumbprint);
  return resultOf(claims, issuer, settings, input);
}

function checkParties(claims: AttestationClaims, issuer: Issuer, settings: Settings, input: AttestationInput): void {
  // Ensures that the keys to be used are those of the issuer that is named.
  if (issuer.iss !== undefined && claims.iss !== issuer.iss) reject('issuer', 'iss is not that of the issuer');
  // Ensures that an attestation for another app of the same issuer is of no use here.
  if (claims.sub !== (settings.clientId ?? input.app.id)) reject('subject', 'sub is not the client id');
  // Ensures that one made for another server is of no use here (RFC 7519 section 4.1.3).
  if (claims.aud.length > 0 && (settings.audience === undefined || !claims.aud.includes(settings.audience))) {
    reject('audience', 'aud does not name this server');
  }
}

function checkTimes({ iat, nbf, exp }: AttestationClaims, now: number): void {
  // Ensures that it is still valid; no tolerance, since an instance cannot be attested into the past.
  if (Math.floor(exp) <= now) reject('time', 'expired');
  // Ensures that it was made already, as far as two clocks can agree.
  if (iat !== undefined && iat > now + TOLERANCE) reject('time', 'issued in the future');
  if (nbf !== undefined && nbf > now + TOLERANCE) reject('time', 'not valid yet');
  // Ensures that its times make sense together.
  if ((iat ?? 0) >= exp || (nbf ?? 0) >= exp) reject('time', 'expires before it begins');
}

function checkConfirmation(jwk: JsonObject, thumbprint: string): void {
  // Ensures that the key stayed on the device: an attestation that holds a private key gives it away.
  if (hasPrivateMembers(jwk)) reject('confirmation', 'cnf.jwk has private members');
  const attested = jwkThumbprint(jwk);
  if (attested === undefined) return reject('confirmation', 'cnf.jwk is not a public key');
  // Ensures that the attested key is the one that signed the enrolment.
  if (attested !== thumbprint) reject('key-binding', 'cnf.jwk is not the instance key');
}

function resultOf(
  { iss, sub, iat, exp, jti }: AttestationClaims,
  issuer: Issuer,
  { maxAge }: Settings,
  { app, now }: AttestationInput,
): AttestationResult {
  const optional = Object.entries({ iss, iat, jti }).filter(([, value]) => value !== undefined);
  return {
    format: FORMAT,
    assurance: issuer.assurance,
    keyBound: true,
    app: { id: app.id },
    claims: { sub, exp, ...Object.fromEntries(optional) },
    expiresAt: Math.min(Math.floor(exp), now + maxAge),
  };
}
