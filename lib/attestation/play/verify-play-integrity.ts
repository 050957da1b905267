import { OptionChecks } from '../jose/option-checks.js';
import { importClassicKeys, openClassicToken } from './classic-token.js';
import type { PlayClassicKeys, PlayRequirement, PlayVerdict } from './play.types.js';
import { appraiseVerdict, reject } from './verdict.js';

/** Longest token accepted, in characters. */
const TOKEN_MAX_LENGTH = 16_384;
/** What a token consists of, whichever kind it is. */
const TOKEN = /^[A-Za-z0-9._=-]+$/;

/** Ensures that a token is one before anybody is asked about it. @throws AttestationError `statement` */
export function tokenText(value: unknown): string {
  if (typeof value !== 'string') return reject('statement', 'the token is not a string');
  if (value.length > TOKEN_MAX_LENGTH) reject('statement', `the token is longer than ${TOKEN_MAX_LENGTH} characters`);
  return TOKEN.test(value) ? value : reject('statement', 'the token has characters that no token has');
}

/** What `verifyPlayIntegrity` is given besides the requirement: a token of the classic API, or a decoded verdict. */
export interface VerifyPlayIntegrity extends PlayRequirement {
  /** The token of the classic API, as the app sent it; needs `classic`. */
  readonly token?: unknown;
  readonly classic?: PlayClassicKeys;
  /** Or the verdict that Google decoded: `tokenPayloadExternal`. */
  readonly verdict?: unknown;
  readonly packageName: string;
  /** The value that the app passed as `requestHash` or `nonce`. */
  readonly bound: string;
  /** When to judge freshness; default now. */
  readonly now?: Date;
}

/**
 * Judges a Play Integrity verdict, opening it first where it is a token of the classic API. Without any network.
 *
 * @throws AttestationError with a `PlayIntegrityCheck`; TabConfigError when the keys cannot be used
 */
export async function verifyPlayIntegrity(input: VerifyPlayIntegrity): Promise<PlayVerdict> {
  const { token, classic, verdict, now = new Date() } = input;
  const expected = { ...input, now: Math.floor(now.getTime() / 1000) };
  if (classic === undefined) return appraiseVerdict(verdict, expected);
  const keys = importClassicKeys(classic, new OptionChecks('verifyPlayIntegrity'));
  return appraiseVerdict(await openClassicToken(tokenText(token), keys), expected);
}
