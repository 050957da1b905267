import { parseArgs } from 'node:util';
import type { AppleEnvironment } from '../../attestation/apple/apple.types.js';
import { decodeBase64url } from '../../token/base64url.js';
import { CommandError } from '../command.js';

/** What the evidence is to be judged against; what is not given cannot be checked. */
export interface Wishes {
  /** A file, or `-` for standard input. */
  readonly source: string;
  readonly json: boolean;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The octets that the evidence must cover: the binding of an enrolment, or the challenge of a platform. */
  readonly binding?: Uint8Array;
  /** The challenge as the server sent it: the `nonce` of a token. */
  readonly challenge?: string;
  readonly appId?: string;
  readonly environment?: AppleEnvironment;
  readonly keyId?: string;
  readonly packageName?: string;
  readonly digests?: readonly string[];
  /** Files of trust anchors in PEM, instead of the platform's. */
  readonly rootFiles: readonly string[];
}

/** How the command is called. */
export const INSPECT_USAGE =
  'inspect <file | -> [--json] [--at time] [--binding hex|base64url] [--challenge text|hex|base64url] [--app-id id] ' +
  '[--environment production|development] [--key-id base64] [--package name] [--digest sha256]... [--root file.pem]...';

const OPTIONS = {
  json: { type: 'boolean' },
  at: { type: 'string' },
  binding: { type: 'string' },
  challenge: { type: 'string' },
  'app-id': { type: 'string' },
  environment: { type: 'string' },
  'key-id': { type: 'string' },
  package: { type: 'string' },
  digest: { type: 'string', multiple: true },
  root: { type: 'string', multiple: true },
} as const;

const HEX = /^(?:[0-9a-fA-F]{2})+$/;

function usage(message: string): never {
  throw new CommandError('usage', message);
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS });
  } catch (error) {
    return usage(error instanceof Error ? error.message : 'the options cannot be read');
  }
}

/** Octets in hex, else in base64url; undefined when the text is neither. */
function octetsIn(text: string): Buffer | undefined {
  return HEX.test(text) ? Buffer.from(text, 'hex') : decodeBase64url(text);
}

/** ISO 8601, or seconds since the epoch. */
function timeOf(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const time = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  return Number.isNaN(time)
    ? usage('--at must be a time such as 2026-01-31T12:00:00Z, or seconds since the epoch')
    : time;
}

/** The binding, or the challenge where a platform's evidence covers that itself. */
function coveredBy(binding: string | undefined, challenge: string | undefined): Buffer | undefined {
  if (binding !== undefined) return octetsIn(binding) ?? usage('--binding must be octets in hex or base64url');
  return challenge === undefined ? undefined : (octetsIn(challenge) ?? Buffer.from(challenge));
}

function environmentOf(text: string | undefined): AppleEnvironment | undefined {
  if (text === undefined || text === 'production' || text === 'development') return text;
  return usage('--environment must be production or development');
}

/**
 * Reads the arguments of the command.
 *
 * @throws CommandError `usage`
 */
export function readWishes(args: readonly string[]): Wishes {
  const { values, positionals } = parsed(args);
  const [source] = positionals;
  if (source === undefined || positionals.length > 1) usage('name one file, or - for standard input');
  return {
    source,
    json: values.json === true,
    at: timeOf(values.at),
    binding: coveredBy(values.binding, values.challenge),
    challenge: values.challenge,
    appId: values['app-id'],
    environment: environmentOf(values.environment),
    keyId: values['key-id'],
    packageName: values.package,
    digests: values.digest,
    rootFiles: values.root ?? [],
  };
}
