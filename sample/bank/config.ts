import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { JSONWebKeySet } from 'jose';
import { readDatabaseUrl, type DatabaseSettings } from './database/database-settings.js';
import type { LabSettings } from './lab/lab-settings.js';
import type { TestRoots } from './phones/phone-apps.js';

/** Port unless `PORT` says otherwise. */
export const DEFAULT_PORT = 3000;
/** HS256 wants a key as long as its hash (RFC 7518 section 3.2). */
const JWT_SECRET_OCTETS = 32;
/** Characters of an operator key at least; by `openssl rand -base64 48` it has 64. */
const OPERATOR_KEY_LENGTH = 32;

/** A service whose security events are believed, such as the identity provider. */
export interface EventTransmitter {
  /** The `iss` of its events. */
  readonly iss: string;
  /** Its public keys. */
  readonly jwks: JSONWebKeySet;
}

/** Everything that differs from one deployment of the bank to another. */
export interface BankConfig {
  readonly port: number;
  /** What clients address; TAB tokens are made for one of these. */
  readonly origins: readonly string[];
  readonly database: DatabaseSettings;
  /** Secrets that challenges are made from, shared by all processes of the service. */
  readonly tabSecrets: 'random' | readonly string[];
  /** Key of the access tokens, shared likewise. */
  readonly jwtSecret: Uint8Array;
  /** `'monitor'` is watch mode: what would be refused passes, marked and on record. Default `'enforce'`. */
  readonly mode?: 'enforce' | 'monitor';
  /** What operators show to see the decisions. Default: nobody sees them. */
  readonly operatorKey?: string;
  /** Public keys of the service that attests instances. Default: none, and the attested app is not registered. */
  readonly attesterJwks?: JSONWebKeySet;
  /** Roots of synthetic authorities that attest phones, for trying out. Default: none, and the apps of phones are not registered. */
  readonly testRoots?: TestRoots;
  /** Who may say that a session has ended. Default: nobody, and there is no route for it. */
  readonly transmitter?: EventTransmitter;
  /** The attack lab at `/`, with an app for browsers that nobody attests. Default: none. */
  readonly lab?: LabSettings;
  /** What to tell whoever starts the bank. */
  readonly notes: readonly string[];
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** Injection token of the `BankConfig`. */
export const BANK_CONFIG = Symbol('BANK_CONFIG');

/** Settings that cannot work; the message says what to write instead. */
export class BankConfigError extends Error {
  override readonly name = 'BankConfigError';
}

/** `PORT`, with 0 for any free one. @throws BankConfigError */
export function readPort(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_PORT;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new BankConfigError('PORT: write a port number, or 0 for any free one');
}

/**
 * The configuration that the environment asks for.
 * @param args of the command line: `--lab` opens the attack lab, as `LAB=on` does
 * @throws BankConfigError
 */
export function readConfig(env: NodeJS.ProcessEnv, port: number, args: readonly string[] = []): BankConfig {
  const notes: string[] = [];
  return {
    port,
    origins: readList(env['ORIGINS']) ?? [`http://localhost:${port}`, `http://127.0.0.1:${port}`],
    database: readDatabase(env, notes),
    tabSecrets: readTabSecrets(env['TAB_SECRETS'], notes),
    jwtSecret: readJwtSecret(env, notes),
    mode: readMode(env['TAB_MODE'], notes),
    operatorKey: readOperatorKey(env['OPERATOR_KEY'], notes),
    attesterJwks: readAttesterJwks(env['ATTESTER_JWKS']),
    testRoots: readTestRoots(env),
    lab: readLab(env, args),
    notes,
    clock: Date.now,
  };
}

function readDatabase(env: NodeJS.ProcessEnv, notes: string[]): DatabaseSettings {
  const { DATABASE_URL: url, DATABASE_FILE: file } = env;
  if (url) {
    const settings = readDatabaseUrl(url);
    if (settings) return settings;
    throw new BankConfigError(
      'DATABASE_URL: write postgres://, mysql:// or mariadb://, then user:password@host:port/database',
    );
  }
  if (file) return { type: 'better-sqlite3', file };
  notes.push('DATABASE_FILE and DATABASE_URL are not set: SQLite in memory, forgotten when the process ends');
  return { type: 'better-sqlite3', file: ':memory:' };
}

function readTabSecrets(text: string | undefined, notes: string[]): 'random' | readonly string[] {
  const secrets = readList(text);
  if (secrets) return secrets;
  notes.push('TAB_SECRETS is not set: a random secret for this process alone');
  return 'random';
}

function readJwtSecret(env: NodeJS.ProcessEnv, notes: string[]): Uint8Array {
  const text = env['JWT_SECRET'];
  if (!text) {
    notes.push('JWT_SECRET is not set: a random secret for this process alone; access tokens end with it');
    return randomBytes(JWT_SECRET_OCTETS);
  }
  const secret = new TextEncoder().encode(text);
  if (secret.length < JWT_SECRET_OCTETS) {
    const message = `JWT_SECRET: write at least ${JWT_SECRET_OCTETS} octets, made by: openssl rand -base64 48`;
    if (env['NODE_ENV'] === 'production') throw new BankConfigError(message);
    notes.push(`${message} (accepted for trying out only)`);
  }
  return secret;
}

function readMode(text: string | undefined, notes: string[]): 'enforce' | 'monitor' {
  if (text === undefined || text === '' || text === 'enforce') return 'enforce';
  if (text !== 'monitor') throw new BankConfigError("TAB_MODE: write 'enforce' or 'monitor'");
  notes.push('TAB_MODE is monitor: what TAB would refuse passes, with TAB-Monitor');
  return text;
}

/** Only for who asks: the app in the browser is let in though nobody attests it. The page lies beside the compiled code. */
function readLab({ LAB: text, NODE_ENV }: NodeJS.ProcessEnv, args: readonly string[]): LabSettings | undefined {
  if (args.some((arg) => arg !== '--lab')) throw new BankConfigError("Arguments: write '--lab' or none");
  if (text && text !== 'on' && text !== 'off') throw new BankConfigError("LAB: write 'on' or 'off'");
  const isAsked = text === 'on' || (text !== 'off' && args.includes('--lab'));
  if (!isAsked) return undefined;
  if (/^\s*prod/i.test(NODE_ENV ?? ''))
    throw new BankConfigError('LAB: the attack lab is not for production; leave it and --lab out');
  return { folder: fileURLToPath(new URL('./web', import.meta.url)) };
}

/** Never a default key: what is made up here, somebody would have to print. */
function readOperatorKey(text: string | undefined, notes: string[]): string | undefined {
  if (!text) {
    notes.push('OPERATOR_KEY is not set: /operator is closed; make one by: openssl rand -base64 48');
    return undefined;
  }
  // Ensures that it can be sent as the value of a header, and not be guessed.
  if (text.length >= OPERATOR_KEY_LENGTH && /^[\x21-\x7e]+$/.test(text)) return text;
  throw new BankConfigError(
    `OPERATOR_KEY: write at least ${OPERATOR_KEY_LENGTH} characters of ASCII without spaces, made by: openssl rand -base64 48`,
  );
}

function readAttesterJwks(text: string | undefined): JSONWebKeySet | undefined {
  if (!text) return undefined;
  try {
    const jwks = JSON.parse(text) as JSONWebKeySet;
    if (Array.isArray(jwks.keys) && jwks.keys.length > 0) return jwks;
  } catch {
    // The parser's own message quotes the text.
  }
  throw new BankConfigError('ATTESTER_JWKS: write the public keys as JSON, {"keys":[{"kty":"EC",…}]}');
}

/** Whoever holds the keys of such an authority can enrol whatever it likes. */
function readTestRoots({ ATTESTATION_TEST_ROOTS: text, NODE_ENV }: NodeJS.ProcessEnv): TestRoots | undefined {
  if (!text) return undefined;
  if (NODE_ENV === 'production')
    throw new BankConfigError('ATTESTATION_TEST_ROOTS: synthetic authorities are not for production; leave it out');
  try {
    const { android, ios } = JSON.parse(text) as TestRoots;
    if ([android, ios].every((root) => String(root).startsWith('-----BEGIN CERTIFICATE-----'))) return { android, ios };
  } catch {
    // The parser's own message quotes the text.
  }
  throw new BankConfigError(
    'ATTESTATION_TEST_ROOTS: write two certificates as JSON, {"android":"<PEM>","ios":"<PEM>"}',
  );
}

/** A comma-separated list, or undefined for none. */
function readList(text: string | undefined): string[] | undefined {
  const entries = (text ?? '').split(',').flatMap((entry) => entry.trim() || []);
  return entries.length > 0 ? entries : undefined;
}
