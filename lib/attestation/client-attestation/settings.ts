import { TabConfigError } from '../../errors/tab-error.js';
import { isJsonObject } from '../../token/json.js';
import { meetsAssurance, type Assurance } from '../../trust/assurance.js';
import type { FetchLike } from '../jose/bounded-fetch.js';
import { localJwks, type JwksSource } from '../jose/jwks-source.js';
import { remoteJwks, type RemoteJwks } from '../jose/remote-jwks.js';
import { ASYMMETRIC_ALGORITHMS } from '../jose/signed-jwt.js';
import type { ClientAttestationIssuer, ClientAttestationOptions } from './client-attestation.types.js';

/** An issuer, checked, with its defaults. */
export interface Issuer {
  readonly iss?: string;
  readonly keys: JwksSource;
  readonly algorithms: ReadonlySet<string>;
  readonly assurance: Assurance;
}

/** The options, checked, with their defaults. */
export interface Settings {
  /** By `iss`; the one without is under undefined. */
  readonly issuers: ReadonlyMap<string | undefined, Issuer>;
  readonly clientId?: string;
  readonly audience?: string;
  readonly maxAge: number;
  readonly reach: Assurance;
}

const DEFAULT_ALGORITHMS = ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA', 'Ed25519'] as const;
const DEFAULT_MAX_AGE = 30 * 24 * 3600;
const ASSURANCES: readonly unknown[] = ['software', 'tee', 'strongbox'];
const NAME_MAX_LENGTH = 512;

function fail(message: string): never {
  throw new TabConfigError(`clientAttestation: ${message}`);
}

function checkedName(value: string | undefined, where: string): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '' && value.length <= NAME_MAX_LENGTH))
    return value;
  return fail(`${where} must be a string of 1-${NAME_MAX_LENGTH} characters; leave it out where it does not apply`);
}

function checkedAlgorithms(algorithms: readonly string[], where: string): ReadonlySet<string> {
  const known: readonly unknown[] = ASYMMETRIC_ALGORITHMS;
  if (Array.isArray(algorithms) && algorithms.length > 0 && algorithms.every((name) => known.includes(name))) {
    return new Set(algorithms);
  }
  return fail(`${where}.algorithms must list one or more of ${ASYMMETRIC_ALGORITHMS.join(', ')}`);
}

function isRemote(jwks: ClientAttestationIssuer['jwks']): jwks is RemoteJwks {
  return 'uri' in jwks;
}

function keySource(jwks: ClientAttestationIssuer['jwks'], where: string, fetch: FetchLike | undefined): JwksSource {
  if (typeof jwks !== 'object' || jwks === null || isRemote(jwks) === 'keys' in jwks) {
    return fail(`${where} must be { keys: [...] } or { uri }`);
  }
  const name = `clientAttestation: ${where}`;
  return isRemote(jwks) ? remoteJwks(jwks, name, fetch) : localJwks(jwks, name);
}

function resolveIssuer(issuer: ClientAttestationIssuer, where: string, fetch: FetchLike | undefined): Issuer {
  if (!isJsonObject(issuer)) return fail(`${where} must be an object with jwks`);
  const { assurance = 'software' } = issuer;
  if (!ASSURANCES.includes(assurance)) return fail(`${where}.assurance must be software, tee or strongbox`);
  return {
    iss: checkedName(issuer.iss, `${where}.iss`),
    keys: keySource(issuer.jwks, `${where}.jwks`, fetch),
    algorithms: checkedAlgorithms(issuer.algorithms ?? DEFAULT_ALGORITHMS, where),
    assurance,
  };
}

/** Ensures that every attestation means one issuer, whose keys alone are tried. */
function indexIssuers(issuers: readonly Issuer[]): ReadonlyMap<string | undefined, Issuer> {
  const index = new Map<string | undefined, Issuer>();
  for (const issuer of issuers) {
    if (index.has(issuer.iss)) {
      const which = issuer.iss === undefined ? 'have no iss: give each its own' : 'have the same iss: merge their keys';
      return fail(`two issuers ${which}, since each attestation must select exactly one`);
    }
    index.set(issuer.iss, issuer);
  }
  return index;
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TabConfigError that says what to write instead
 */
export function resolveSettings(options: ClientAttestationOptions): Settings {
  if (!isJsonObject(options)) fail('give an object with issuers');
  const { issuers, fetch, maxAge = DEFAULT_MAX_AGE } = options;
  if (!Array.isArray(issuers) || issuers.length === 0) fail('issuers must list at least one { iss, jwks }');
  if (fetch !== undefined && typeof fetch !== 'function')
    fail('fetch must be a function; leave it out for the global one');
  if (!Number.isSafeInteger(maxAge) || maxAge <= 0) fail('maxAge must be a whole number of seconds above 0');
  const resolved = options.issuers.map((issuer, index) => resolveIssuer(issuer, `issuers[${index}]`, fetch));
  return {
    issuers: indexIssuers(resolved),
    clientId: checkedName(options.clientId, 'clientId'),
    audience: checkedName(options.audience, 'audience'),
    maxAge,
    reach: resolved.reduce<Assurance>(
      (best, { assurance }) => (meetsAssurance(assurance, best) ? assurance : best),
      'software',
    ),
  };
}
