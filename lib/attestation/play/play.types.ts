/**
 * The check that a Play Integrity token failed (`AttestationError.check`), for the operator's log:
 * - `statement`: the statement is not `{ "token": string }`, or the token is too long or no token
 * - `structure`: a classic token is not a compact JWE of canonical base64url around a compact JWS
 * - `algorithm`: a classic token is not A256KW and A256GCM around ES256
 * - `decryption`: a classic token does not decrypt with the app's key
 * - `signature`: a classic token is not signed by Play
 * - `decode`: Google does not take a token
 * - `verdict`: a member of the verdict is missing or ill-typed
 * - `package`: made for another package
 * - `binding`: `requestHash` or `nonce` is not that of this enrolment
 * - `time`: too old, or made in the future
 * - `app`: Play does not recognise the app
 * - `certificate`: the app is signed by another certificate
 * - `device`: the device meets less than the least integrity
 * - `licence`: the user did not get the app from Play
 * - `testing`: a response that was set up for a tester
 */
export type PlayIntegrityCheck =
  | 'statement'
  | 'structure'
  | 'algorithm'
  | 'decryption'
  | 'signature'
  | 'decode'
  | 'verdict'
  | 'package'
  | 'binding'
  | 'time'
  | 'app'
  | 'certificate'
  | 'device'
  | 'licence'
  | 'testing';

/** What a device can be said to meet, weakest first. */
export const DEVICE_INTEGRITY = ['MEETS_BASIC_INTEGRITY', 'MEETS_DEVICE_INTEGRITY', 'MEETS_STRONG_INTEGRITY'] as const;

/** One of `DEVICE_INTEGRITY`. */
export type DeviceIntegrity = (typeof DEVICE_INTEGRITY)[number];

/** What a verdict must say. */
export interface PlayRequirement {
  /** The least that the device must meet; default `MEETS_DEVICE_INTEGRITY`. */
  readonly deviceIntegrity?: DeviceIntegrity;
  /** Whether emulators that Play itself trusts pass too (`MEETS_VIRTUAL_INTEGRITY`). Default false; kept as `emulator`. */
  readonly allowVirtual?: boolean;
  /** Whether builds pass that Play does not know (`UNRECOGNIZED_VERSION`); needs `certificates`. Default false. */
  readonly allowUnrecognized?: boolean;
  /** SHA-256 digests of the app's signing certificates, base64url as in the verdict; default any that Play recognises. */
  readonly certificates?: readonly string[];
  /** Whether the user must have got the app from Play (`LICENSED`). Default false. */
  readonly licensed?: boolean;
  /** Whether responses that the Play Console makes up for testers pass. Default false; never in production. */
  readonly allowTesting?: boolean;
  /** Most seconds between the verdict and the enrolment; default 300. */
  readonly verdictMaxAge?: number;
}

/** The two keys of the Play Console, Classic API, "manage and download my response encryption keys". */
export interface PlayClassicKeys {
  /** Base64 of the 32 octets of the AES key. A secret. */
  readonly decryptionKey: string;
  /** Base64 of the DER of Play's P-256 public key. */
  readonly verificationKey: string;
}

/**
 * Has Google decode a token.
 *
 * @returns the verdict: what the service calls `tokenPayloadExternal`
 * @throws anything when Google cannot be asked; AttestationError when it does not take the token
 */
export type PlayDecoder = (packageName: string, token: string) => Promise<unknown>;

/** Options of `playIntegrity`: exactly one of `decode` and `classic`. */
export interface PlayIntegrityOptions extends PlayRequirement {
  /** The package; default the app id. */
  readonly packageName?: string;
  /** Decodes standard and classic tokens, see `googleDecoder`. */
  readonly decode?: PlayDecoder;
  /** Decodes tokens of the classic API here, without asking Google. */
  readonly classic?: PlayClassicKeys;
  /** Seconds that the attestation counts from enrolment on; default 86,400 (a day). */
  readonly maxAge?: number;
}

/** What a verdict says that is worth keeping. */
export interface PlayVerdict {
  readonly packageName: string;
  readonly versionCode?: string;
  readonly appRecognitionVerdict: string;
  readonly deviceRecognitionVerdict: readonly string[];
  readonly appLicensingVerdict?: string;
  readonly playProtectVerdict?: string;
  readonly appAccessRiskVerdict?: readonly string[];
  readonly sdkVersion?: number;
  /** Whether the device is an emulator. */
  readonly emulator: boolean;
  /** When Google made it, seconds since the epoch. */
  readonly issuedAt: number;
}
