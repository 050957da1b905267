import { localJwks, type JwksSource } from '../attestation/jose/jwks-source.js';
import { remoteJwks, type RemoteJwks } from '../attestation/jose/remote-jwks.js';
import { ASYMMETRIC_ALGORITHMS } from '../attestation/jose/signed-jwt.js';
import { TabConfigError } from '../errors/tab-error.js';
import { sha256OfField } from '../token/digest.js';
import { isJsonObject } from '../token/json.js';
import { SET_MAX_AGE } from './set-claims.js';
import type { SignalReceiverOptions, SignalTransmitterTrust } from './signals.types.js';

/** A transmitter, checked, with its defaults. */
export interface TrustedTransmitter {
  readonly iss: string;
  readonly keys: JwksSource;
  readonly algorithms: ReadonlySet<string>;
  readonly subject: SignalTransmitterTrust['subject'];
  readonly respondsToRisk: boolean;
}

/** The options, checked, with their defaults. */
export interface ReceiverSettings {
  readonly audience: ReadonlySet<string>;
  readonly transmitters: ReadonlyMap<string, TrustedTransmitter>;
  readonly maxAge: number;
  /** Hash of the `Authorization` value asked for. */
  readonly authorization: string | undefined;
  readonly refusesDuplicates: boolean;
}

const DEFAULT_ALGORITHMS = ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA', 'Ed25519'] as const;
const NAME_MAX = 512;
const MAX_AGE_MIN = 60;

function fail(message: string): never {
  throw new TabConfigError(`signals.receive: ${message}`);
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= NAME_MAX;
}

function readAlgorithms(algorithms: readonly string[], where: string): ReadonlySet<string> {
  const known: readonly unknown[] = ASYMMETRIC_ALGORITHMS;
  if (Array.isArray(algorithms) && algorithms.length > 0 && algorithms.every((name) => known.includes(name)))
    return new Set(algorithms);
  return fail(`${where}.algorithms must list one or more of ${ASYMMETRIC_ALGORITHMS.join(', ')}`);
}

function isRemote(jwks: SignalTransmitterTrust['jwks']): jwks is RemoteJwks {
  return 'uri' in jwks;
}

function readKeys({ jwks }: SignalTransmitterTrust, where: string, fetch: SignalReceiverOptions['fetch']): JwksSource {
  if (typeof jwks !== 'object' || jwks === null || isRemote(jwks) === 'keys' in jwks)
    return fail(`${where}.jwks must be { keys: [...] } or { uri }`);
  const name = `signals.receive: ${where}.jwks`;
  return isRemote(jwks) ? remoteJwks(jwks, name, fetch) : localJwks(jwks, name);
}

function readTransmitter(
  transmitter: SignalTransmitterTrust,
  where: string,
  fetch: SignalReceiverOptions['fetch'],
): TrustedTransmitter {
  if (!isJsonObject(transmitter)) return fail(`${where} must be { iss, jwks }`);
  const { iss, subject, onHighRisk = 'respond' } = transmitter;
  if (!isName(iss)) return fail(`${where}.iss must be a string of 1-${NAME_MAX} characters`);
  if (subject !== undefined && typeof subject !== 'function') return fail(`${where}.subject must be a function`);
  if (!['respond', 'record'].includes(onHighRisk)) return fail(`${where}.onHighRisk must be 'respond' or 'record'`);
  return {
    iss,
    keys: readKeys(transmitter, where, fetch),
    algorithms: readAlgorithms(transmitter.algorithms ?? DEFAULT_ALGORITHMS, where),
    subject,
    respondsToRisk: onHighRisk === 'respond',
  };
}

function readTransmitters({ transmitters, fetch }: SignalReceiverOptions): ReadonlyMap<string, TrustedTransmitter> {
  if (!Array.isArray(transmitters) || transmitters.length === 0)
    return fail('transmitters must list at least one { iss, jwks }');
  const byIssuer = new Map<string, TrustedTransmitter>();
  for (const [index, each] of (transmitters as readonly SignalTransmitterTrust[]).entries()) {
    const transmitter = readTransmitter(each, `transmitters[${index}]`, fetch);
    if (byIssuer.has(transmitter.iss)) fail('two transmitters have the same iss: merge their keys');
    byIssuer.set(transmitter.iss, transmitter);
  }
  return byIssuer;
}

function readAuthorization(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  if (typeof authorization !== 'string' || !/^[!-~](?:[ -~]{14,}[!-~])$/.test(authorization))
    return fail("authorization must be the header's whole value, such as 'Bearer …', at least 16 printable characters");
  return sha256OfField(authorization);
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TabConfigError that says what to write instead
 */
export function readReceiverOptions(options: SignalReceiverOptions): ReceiverSettings {
  if (!isJsonObject(options)) return fail('give { audience, transmitters }');
  const { maxAge = SET_MAX_AGE, onDuplicate = 'refuse', fetch } = options;
  const audience = typeof options.audience === 'string' ? [options.audience] : options.audience;
  if (!Array.isArray(audience) || audience.length === 0 || !audience.every(isName))
    return fail('audience must be the name by which transmitters know this server, or a list of such names');
  if (!Number.isSafeInteger(maxAge) || maxAge < MAX_AGE_MIN || maxAge > SET_MAX_AGE)
    return fail(`maxAge must be a whole number of seconds from ${MAX_AGE_MIN} to ${SET_MAX_AGE}`);
  if (!['acknowledge', 'refuse'].includes(onDuplicate)) return fail("onDuplicate must be 'acknowledge' or 'refuse'");
  if (fetch !== undefined && typeof fetch !== 'function') return fail('fetch must be a function');
  return {
    audience: new Set(audience),
    transmitters: readTransmitters(options),
    maxAge,
    authorization: readAuthorization(options.authorization),
    refusesDuplicates: onDuplicate === 'refuse',
  };
}
