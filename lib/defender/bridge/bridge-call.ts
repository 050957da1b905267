import { DefenderError } from '../defender-error.js';
import { limited } from '../waiting.js';
import { BRIDGE_VERSION, type NativeBridge } from './native-bridge.js';

/** Milliseconds that one call may take: StrongBox needs seconds for a key, a user for a fingerprint. */
export const BRIDGE_TIMEOUT = 30_000;
/** Name of the key unless configured. */
export const BRIDGE_ALIAS = 'nestjs-tab';

/** Options that all parts of a bridge share. */
export interface BridgeOptions {
  /** Name of the key and of the state in the shell, 1–64 of `A–Z a–z 0–9 . _ -`; default `nestjs-tab`. */
  readonly alias?: string;
  /** Milliseconds that one call of the shell may take; default 30,000. */
  readonly timeout?: number;
}

/** Bridge options with their defaults. */
export interface ResolvedBridge {
  readonly bridge: NativeBridge;
  readonly alias: string;
  readonly timeout: number;
}

/** Checks a bridge and its options. @throws TypeError that says what to write instead */
export function resolveBridge(bridge: NativeBridge, options: BridgeOptions): ResolvedBridge {
  const { alias = BRIDGE_ALIAS, timeout = BRIDGE_TIMEOUT } = options;
  const version: unknown = (Object(bridge) as Partial<NativeBridge>).bridgeVersion;
  if (version !== BRIDGE_VERSION) {
    throw new TypeError(`Bridge: bridgeVersion must be ${BRIDGE_VERSION}; update the shell or this package`);
  }
  if (typeof alias !== 'string' || !/^[A-Za-z0-9._-]{1,64}$/.test(alias)) {
    throw new TypeError('Bridge option alias: write 1 to 64 characters of A-Z a-z 0-9 . _ -');
  }
  if (!Number.isFinite(timeout) || timeout < 1 || timeout > 600_000) {
    throw new TypeError('Bridge option timeout (milliseconds): write a number from 1 to 600000');
  }
  return { bridge, alias, timeout };
}

/**
 * One call of the shell, with what reads its answer. Whatever goes wrong, also an answer that is not as agreed, is one coded
 * error. It carries no cause: nobody knows what a native message quotes.
 * @throws DefenderError `key_store`
 */
export async function callBridge<T, R>(
  { timeout }: Pick<ResolvedBridge, 'timeout'>,
  task: string,
  call: () => Promise<T>,
  read: (answer: T) => R,
): Promise<R> {
  let answer: T;
  try {
    answer = await limited(timeout, new AbortController().signal, async () => call());
  } catch (cause) {
    throw new DefenderError('key_store', `The native bridge could not ${task}${codeOf(cause)}`);
  }
  try {
    return read(answer);
  } catch {
    throw new DefenderError('key_store', `The native bridge gave no usable answer when asked to ${task}`);
  }
}

/** The code that native modules put on their errors, such as `E_LOCKED`. */
function codeOf(cause: unknown): string {
  const code: unknown = (Object(cause) as { code?: unknown }).code;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,39}$/.test(code) ? `: ${code}` : '';
}
