import { expect } from 'vitest';
import type { TabErrorCode } from '../../../lib/errors/codes.js';
import { TabError } from '../../../lib/errors/tab-error.js';
import type { Verification } from '../../../lib/verifier/verification.js';

/** The code of what `call` throws or rejects with; `'accepted'` when it does neither. Anything but a `TabError` fails the test. */
export async function codeOf(call: () => unknown): Promise<TabErrorCode | 'accepted'> {
  try {
    await call();
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(TabError);
    return (error as TabError).code;
  }
}

/** The same for calls that answer at once. */
export function thrownBy(call: () => unknown): TabErrorCode | 'accepted' {
  try {
    call();
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(TabError);
    return (error as TabError).code;
  }
}

/** The outcome of a verification in one word. */
export const outcomeOf = (verification: Verification): TabErrorCode | 'accepted' =>
  verification.accepted ? 'accepted' : verification.error.code;
