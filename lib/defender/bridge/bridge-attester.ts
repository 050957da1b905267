import { base64url } from 'jose';
import type { AttestInput, ClientAttester } from '../client-attester.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { callBridge, resolveBridge, type BridgeOptions } from './bridge-call.js';
import type { KeyChallenge } from './key-challenge.js';
import type { BridgeAttestationFormat, NativeBridge } from './native-bridge.js';

/** Options of the bridge attester. */
export interface BridgeAttesterOptions extends BridgeOptions {
  /** The challenge that the key store makes keys over; `android-key` needs it. */
  readonly keyChallenge?: KeyChallenge;
}

type Members = Readonly<Record<string, unknown>>;

/** The members of a statement by format; more than one form where a format has one to renew (PROTOCOL section 5). */
const STATEMENTS: Readonly<
  Record<BridgeAttestationFormat, readonly Readonly<Record<string, (value: unknown) => boolean>>[]>
> = {
  'android-key': [{ x5c: isChain }],
  'apple-appattest': [
    { keyId: isBase64, attestationObject: isBase64 },
    { keyId: isBase64, assertion: isBase64 },
  ],
  'play-integrity': [{ token: isText }],
};

/**
 * Has the shell make the statement of an attestation format. Only the members that the format has are passed on.
 * @throws TypeError when the format is not one that a bridge makes, or `android-key` has no key challenge
 */
export function bridgeAttester(
  bridge: NativeBridge,
  format: BridgeAttestationFormat,
  options: BridgeAttesterOptions = {},
): ClientAttester {
  const resolved = resolveBridge(bridge, options);
  const { keyChallenge } = options;
  if (!Object.hasOwn(STATEMENTS, format)) {
    throw new TypeError(`Bridge attester: write one of ${Object.keys(STATEMENTS).join(', ')}`);
  }
  if (format === 'android-key' && !keyChallenge) {
    throw new TypeError('Bridge attester: android-key needs the keyChallenge of the key store; use bridgeDefender');
  }
  return {
    format,
    attest: (input) => {
      const challenge = challengeOf(format, input, keyChallenge);
      const call = () => bridge.attestation({ alias: resolved.alias, format, challenge });
      return callBridge(resolved, 'attest', call, (answer) => readStatement(format, answer));
    },
  };
}

/** What the platform is given, in the encoding that it takes. */
function challengeOf(format: BridgeAttestationFormat, input: AttestInput, keyChallenge?: KeyChallenge): string {
  if (format === 'play-integrity') return base64url.encode(input.binding);
  if (format !== 'android-key') return encodeBase64(input.binding);
  const binding = keyChallenge?.bindingOf(input.challenge);
  if (binding) return encodeBase64(binding);
  // Fails here, where it can be said, rather than as a refusal that says nothing.
  throw new Error(
    'The key was made over another challenge, and Android attests a key once: retire() or forget() makes a new one',
  );
}

/** @throws TypeError when the shell's answer is not a statement of this format */
function readStatement(format: BridgeAttestationFormat, answer: unknown): Members {
  const members = Object(answer) as Members;
  const form = STATEMENTS[format].find((each) => Object.entries(each).every(([name, is]) => is(members[name])));
  if (!form) throw new TypeError('No statement');
  return Object.fromEntries(Object.keys(form).map((name) => [name, members[name]]));
}

function isBase64(value: unknown): boolean {
  return decodeBase64(value) !== undefined;
}

function isChain(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isBase64);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
