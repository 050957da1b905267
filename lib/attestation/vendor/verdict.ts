import { isJsonObject, type JsonObject } from '../../token/json.js';
import type { ThreatName } from '../../trust/threats.js';
import { AttestationError } from '../attestation-error.js';
import { Members, timeFault } from '../jose/members.js';
import type { Vendor } from './settings.js';
import type { ThreatMeaning, VendorJwtCheck, VendorVerdict } from './vendor.types.js';

/** Longest text of a claim that is kept, in characters. */
const KEPT_MAX_LENGTH = 256;
/** Most values of one claim about threats. */
const MAX_VALUES = 64;

/** Refuses the verdict. `detail` never quotes it. */
export function reject(check: VendorJwtCheck, detail: string): never {
  throw new AttestationError(check, detail);
}

/** What a verdict is held against. */
export interface ExpectedVerdict {
  readonly challenge: string;
  /** RFC 7638 SHA-256 thumbprint of the instance key. */
  readonly thumbprint: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

function own(value: unknown, name: string): unknown {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** The claim at a path; undefined when there is none. */
export function claimAt(claims: JsonObject, path: string): unknown {
  const exact = own(claims, path);
  return exact === undefined ? path.split('.').reduce<unknown>(own, claims) : exact;
}

/** Judges the claims of a verdict. @throws AttestationError with a `VendorJwtCheck` */
export function appraiseVerdict(payload: JsonObject, vendor: Vendor, expected: ExpectedVerdict): VendorVerdict {
  const claims = new Members(payload, (detail) => reject('claims', detail));
  // Ensures that the keys to be used are those of the vendor that is named.
  if (claims.text('iss') !== vendor.iss) reject('issuer', 'iss is not that of the vendor');
  // Ensures that one made for another server is of no use here.
  if (!claims.audience().includes(vendor.aud)) reject('audience', 'aud does not name this server');
  const [iat, nbf, exp] = [claims.optionalTime('iat'), claims.optionalTime('nbf'), claims.time('exp')];
  // Ensures that it is valid now.
  const fault = timeFault({ iat, nbf, exp }, expected.now);
  if (fault !== undefined) reject('time', fault);
  // Ensures that it was made for this enrolment.
  if (claimAt(payload, vendor.nonce) !== expected.challenge) reject('challenge', 'not made over this challenge');
  // Ensures that it is about the app that holds the instance key.
  if (claimAt(payload, vendor.keyThumbprint) !== expected.thumbprint) reject('key-binding', 'another key, or none');
  const identity = { iss: vendor.iss, sub: claims.optionalText('sub'), jti: claims.optionalText('jti') };
  return {
    ...identity,
    issuedAt: iat,
    expiresAt: Math.floor(exp),
    threats: checkThreats(payload, vendor),
    kept: keptClaims(payload, vendor.keep),
  };
}

/** Ensures that every threat was looked for, and that those found are allowed. */
function checkThreats(payload: JsonObject, { threats, allowThreats, allowMissing }: Vendor): ThreatName[] {
  const found = new Set<ThreatName>();
  for (const [path, meaning] of threats) {
    const value = claimAt(payload, path);
    if (value === undefined && allowMissing) continue;
    for (const threat of threatsIn(value, meaning, path)) found.add(threat);
  }
  const refused = [...found].filter((threat) => !allowThreats.has(threat)).sort();
  if (refused.length > 0) reject('threat', refused.join(' '));
  return [...found].sort();
}

function threatsIn(value: unknown, meaning: ThreatMeaning, path: string): ThreatName[] {
  if (typeof meaning === 'string') {
    if (typeof value !== 'boolean') return reject('unchecked', `${path} is not true or false`);
    return value ? [meaning] : [];
  }
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length > MAX_VALUES) return reject('unchecked', `${path} has more than ${MAX_VALUES} values`);
  return values.flatMap((each) => {
    // Ensures that a value which the vendor adds one day is not taken for harmless.
    if (typeof each !== 'string' || !Object.hasOwn(meaning, each)) return reject('unchecked', `${path} is not mapped`);
    return meaning[each] ?? [];
  });
}

function keptClaims(payload: JsonObject, keep: readonly string[]): Record<string, string | number | boolean> {
  const kept = keep.map((path) => [path, claimAt(payload, path)] as const);
  const isPlain = (value: unknown): value is string | number | boolean =>
    typeof value === 'string'
      ? value.length <= KEPT_MAX_LENGTH
      : typeof value === 'number' || typeof value === 'boolean';
  return Object.fromEntries(kept.flatMap(([path, value]) => (isPlain(value) ? [[path, value] as const] : [])));
}
