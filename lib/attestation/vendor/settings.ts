import { createPublicKey } from 'node:crypto';
import type { JWK } from 'jose';
import { isJsonObject } from '../../token/json.js';
import { meetsAssurance, type Assurance } from '../../trust/assurance.js';
import { isThreatName, type ThreatName } from '../../trust/threats.js';
import type { FetchLike } from '../jose/bounded-fetch.js';
import { localJwks, type JwksSource } from '../jose/jwks-source.js';
import { OptionChecks } from '../jose/option-checks.js';
import type { JwtVendor, ThreatMeaning, VendorJwtOptions } from './vendor.types.js';

/** A vendor, checked, with its defaults. */
export interface Vendor {
  readonly iss: string;
  readonly aud: string;
  readonly keys: JwksSource;
  /** Whether `kid` selects the key. */
  readonly namedKeys: boolean;
  readonly algorithms: ReadonlySet<string>;
  readonly typ?: string;
  readonly keyThumbprint: string;
  readonly nonce: string;
  readonly threats: readonly (readonly [path: string, meaning: ThreatMeaning])[];
  readonly allowThreats: ReadonlySet<ThreatName>;
  readonly allowMissing: boolean;
  readonly keep: readonly string[];
  readonly assurance: Assurance;
}

/** The options, checked, with their defaults. */
export interface Settings {
  /** By `iss`. */
  readonly vendors: ReadonlyMap<string, Vendor>;
  readonly maxAge: number;
  readonly reach: Assurance;
}

const DEFAULT_ALGORITHMS = ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA', 'Ed25519'] as const;
const ASSURANCES: readonly unknown[] = ['software', 'tee', 'strongbox'];

function singleKey(key: JWK | string, where: string, checks: OptionChecks): JwksSource {
  // A private key would do as a public one for the import: it is refused as such by localJwks, or here as PEM.
  if (typeof key === 'string' && key.includes('PRIVATE KEY')) checks.fail(`${where} must be the public key only`);
  return localJwks({ keys: [typeof key === 'string' ? pemToJwk(key, where, checks) : key] }, `vendorJwt: ${where}`);
}

function pemToJwk(pem: string, where: string, checks: OptionChecks): JWK {
  try {
    return createPublicKey(pem).export({ format: 'jwk' });
  } catch {
    return checks.fail(`${where} must be a public JWK or the PEM text of a public key`);
  }
}

function keysOf({ jwks, key }: JwtVendor, where: string, checks: OptionChecks, fetch?: FetchLike): JwksSource {
  if (jwks !== undefined && key === undefined) return checks.keys(jwks, `${where}.jwks`, fetch);
  if (key !== undefined && jwks === undefined) return singleKey(key, `${where}.key`, checks);
  return checks.fail(`${where} needs either jwks: { uri } or { keys }, or key`);
}

function isMeaning(value: unknown): value is ThreatMeaning {
  if (typeof value === 'string') return isThreatName(value);
  if (!isJsonObject(value)) return false;
  const names = Object.values(value);
  return names.length > 0 && names.every((name) => name === null || (typeof name === 'string' && isThreatName(name)));
}

function threatsOf({ threats = {} }: JwtVendor, where: string, checks: OptionChecks): Vendor['threats'] {
  checks.object(threats, `{ 'device.rooted': 'root' } for ${where}.threats`);
  for (const [path, meaning] of Object.entries(threats)) {
    checks.text(path, `a path of ${where}.threats`, 'device.rooted');
    if (!isMeaning(meaning))
      checks.fail(`${where}.threats["${path}"] must be a threat name, or a map from values to threat names or null`);
  }
  return Object.entries(threats);
}

function allowedThreats({ allowThreats = [] }: JwtVendor, where: string, checks: OptionChecks): Set<ThreatName> {
  if (!Array.isArray(allowThreats) || !allowThreats.every((name) => typeof name === 'string' && isThreatName(name)))
    checks.fail(`${where}.allowThreats must list threat names such as developer-mode`);
  return new Set(allowThreats);
}

function resolveVendor(vendor: JwtVendor, where: string, checks: OptionChecks, fetch?: FetchLike): Vendor {
  checks.object(vendor, `{ iss, aud, jwks: { uri } } for ${where}`);
  const { keyThumbprint = 'cnf.jkt', nonce = 'nonce', keep = [], assurance = 'software' } = vendor;
  if (!ASSURANCES.includes(assurance)) checks.fail(`${where}.assurance must be software, tee or strongbox`);
  if (!Array.isArray(keep)) checks.fail(`${where}.keep must list paths of claims`);
  return {
    iss: checks.text(vendor.iss, `${where}.iss`, 'https://vendor.example'),
    aud: checks.text(vendor.aud, `${where}.aud`, 'https://api.example.com'),
    keys: keysOf(vendor, where, checks, fetch),
    namedKeys: vendor.key === undefined,
    algorithms: checks.algorithms(vendor.algorithms ?? DEFAULT_ALGORITHMS, `${where}.algorithms`),
    typ: checks.optionalText(vendor.typ, `${where}.typ`, 'JWT'),
    keyThumbprint: checks.text(keyThumbprint, `${where}.keyThumbprint`, 'cnf.jkt'),
    nonce: checks.text(nonce, `${where}.nonce`, 'nonce'),
    threats: threatsOf(vendor, where, checks),
    allowThreats: allowedThreats(vendor, where, checks),
    allowMissing: checks.flag(vendor.allowMissing, `${where}.allowMissing`),
    keep: keep.map((path) => checks.text(path, `a path of ${where}.keep`, 'device.model')),
    assurance,
  };
}

/**
 * Checks the options and fills in the defaults.
 *
 * @param name of the function whose options they are
 * @throws TabConfigError that says what to write instead
 */
export function resolveSettings(options: VendorJwtOptions, name = 'vendorJwt'): Settings {
  const checks = new OptionChecks(name);
  checks.object(options, '{ vendors: [{ iss, aud, jwks: { uri } }] }');
  if (!Array.isArray(options.vendors) || options.vendors.length === 0)
    checks.fail('vendors must list at least one { iss, aud, jwks }');
  const list = options.vendors.map((vendor, at) => resolveVendor(vendor, `vendors[${at}]`, checks, options.fetch));
  const vendors = new Map(list.map((vendor) => [vendor.iss, vendor]));
  // Ensures that every verdict means one vendor, whose keys alone are tried.
  if (vendors.size !== list.length) checks.fail('two vendors have the same iss: merge their keys into one');
  const better = (best: Assurance, { assurance }: Vendor) => (meetsAssurance(assurance, best) ? assurance : best);
  return { vendors, maxAge: checks.maxAge(options.maxAge), reach: list.reduce<Assurance>(better, 'software') };
}
