import { isJsonObject } from '../../token/json.js';
import type { AttestationInput, AttestationResult, Attester, FinishAttestation } from '../attester.js';
import type { KeyHint } from '../jose/jwks-source.js';
import { present } from '../jose/members.js';
import { checkHeader, parseSignedJwt, verifySignedJwt, type UnverifiedJwt } from '../jose/signed-jwt.js';
import { resolveSettings, type Settings, type Vendor } from './settings.js';
import type { JwtVendor, VendorJwtOptions, VendorVerdict } from './vendor.types.js';
import { appraiseVerdict, reject, type ExpectedVerdict } from './verdict.js';

const FORMAT = 'jwt';
/** Longest verdict accepted, in characters. */
const JWT_MAX_LENGTH = 16_384;

/**
 * Accepts verdicts of vendors of runtime protection: a signed JWT about the app that names the instance key (`cnf.jkt`) and
 * the enrolment challenge (`nonce`). Threats that it reports refuse the enrolment unless the vendor's `allowThreats` has them.
 *
 * `examine` throws AttestationError with a `VendorJwtCheck`. What it returns throws that too, or TabError
 * `store_unavailable` when the vendor's keys cannot be had.
 *
 * @throws TabConfigError when the options cannot work
 */
export function vendorJwt(options: VendorJwtOptions): Attester {
  const settings = resolveSettings(options);
  return { format: FORMAT, reach: settings.reach, examine: (input) => examine(settings, input) };
}

function examine(settings: Settings, { statement, app, ...expected }: AttestationInput): FinishAttestation {
  if (!isJsonObject(statement) || !Object.hasOwn(statement, 'jwt')) reject('statement', 'not an object with jwt');
  const { vendor, finish } = examineJwt(statement['jwt'], settings, expected);
  return async () => resultOf(await finish(), vendor, app.id, expected.now + settings.maxAge);
}

/** Every check that needs no key, and what makes the rest. */
function examineJwt(
  value: unknown,
  { vendors }: Settings,
  expected: ExpectedVerdict,
): { readonly vendor: Vendor; readonly finish: () => Promise<VendorVerdict> } {
  const token = parseSignedJwt(value, JWT_MAX_LENGTH);
  const { iss } = token.claims;
  const vendor = (typeof iss === 'string' && vendors.get(iss)) || reject('issuer', 'no configured vendor is meant');
  const hint = hintOf(token, vendor);
  appraiseVerdict(token.claims, vendor, expected);
  // Ensures that a key that cannot be found later is refused before anything is spent.
  if (vendor.keys.excludes(hint)) reject('issuer-key', 'no key of the vendor fits the header');
  // Only what was signed counts: the result is made anew from the octets that verified.
  const finish = async () => appraiseVerdict(await verifySignedJwt(token.jwt, hint, vendor.keys), vendor, expected);
  return { vendor, finish };
}

function hintOf({ header }: UnverifiedJwt, { typ, algorithms, namedKeys }: Vendor): KeyHint {
  const hint =
    typ === undefined
      ? checkHeader({ typ: 'JWT', ...header }, 'JWT', algorithms)
      : checkHeader(header, typ, algorithms);
  return namedKeys ? hint : { alg: hint.alg };
}

function resultOf(verdict: VendorVerdict, vendor: Vendor, id: string, expiresAt: number): AttestationResult {
  const { iss, sub, jti, issuedAt: iat, expiresAt: exp, threats, kept } = verdict;
  // What appraisal holds the client's own evidence against.
  const device = threats.includes('emulator') ? { emulator: true, securityLevel: 'software' } : {};
  const claims = present({
    iss,
    sub,
    jti,
    iat,
    exp,
    ...(threats.length > 0 && { threats }),
    // Apart, so that no claim of a vendor is taken for one of ours.
    ...(Object.keys(kept).length > 0 && { kept }),
    ...device,
  });
  return { format: FORMAT, assurance: vendor.assurance, keyBound: true, app: { id }, claims, expiresAt };
}

/** What `verifyVendorJwt` is given. */
export interface VerifyVendorJwt {
  /** The verdict, as the app sent it. */
  readonly token: unknown;
  /** Whose verdict it must be, with its keys at hand: `key`, or `jwks` with `keys`. */
  readonly vendor: JwtVendor;
  /** The enrolment challenge. */
  readonly challenge: string;
  /** RFC 7638 SHA-256 thumbprint of the instance key, 43 characters. */
  readonly thumbprint: string;
  /** When to judge validity; default now. */
  readonly now?: Date;
}

/**
 * Verifies a vendor's verdict; without any network when the keys are at hand.
 *
 * @throws AttestationError with a `VendorJwtCheck`; TabConfigError when `vendor` cannot work
 */
export async function verifyVendorJwt(input: VerifyVendorJwt): Promise<VendorVerdict> {
  const { token, vendor, challenge, thumbprint, now = new Date() } = input;
  const settings = resolveSettings({ vendors: [vendor] }, 'verifyVendorJwt');
  const expected = { challenge, thumbprint, now: Math.floor(now.getTime() / 1000) };
  return examineJwt(token, settings, expected).finish();
}
