import { TabConfigError } from '../../errors/tab-error.js';
import { isJsonObject } from '../../token/json.js';
import type { AppleAppAttestOptions, AppleEnvironment } from './apple.types.js';
import { checkRoots } from './certificates.js';
import type { AppleValidationCategory } from './extensions.js';
import { APPLE_APP_ATTEST_ROOTS } from './roots.js';

/** The options, checked, with their defaults. */
export interface AppleSettings {
  readonly appIds: readonly string[];
  readonly environment: AppleEnvironment;
  readonly validationCategories?: readonly AppleValidationCategory[];
  readonly roots: readonly (string | Uint8Array)[];
  readonly maxAge: number;
  readonly receipt: boolean;
}

const DEFAULT_MAX_AGE = 30 * 24 * 3600;
/** Team id, dot, bundle id. */
const APP_ID = /^[A-Z0-9]{10}\.[A-Za-z0-9._-]{1,155}$/;
const MAX_CATEGORY = 2 ** 32 - 1;

function fail(message: string): never {
  throw new TabConfigError(`appleAppAttest: ${message}`);
}

function isCategory(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MAX_CATEGORY;
}

function checkedAppIds({ appId, appIds }: AppleAppAttestOptions): readonly string[] {
  if ((appId === undefined) === (appIds === undefined)) fail('give appId, or appIds where there are several');
  const list: unknown = appIds ?? [appId];
  if (!Array.isArray(list) || list.length === 0) return fail('appIds must list at least one App ID');
  if (!list.every((id) => typeof id === 'string' && APP_ID.test(id))) {
    return fail('an App ID is the team id of 10 characters, a dot and the bundle id: "ABCDE12345.com.example.bank"');
  }
  return list as string[];
}

function checkedCategories(
  categories: readonly AppleValidationCategory[] | undefined,
): readonly AppleValidationCategory[] | undefined {
  if (categories === undefined) return undefined;
  if (Array.isArray(categories) && categories.length > 0 && categories.every(isCategory)) return [...categories];
  return fail('validationCategories must list one or more numbers such as 4 (App Store); leave it out to permit any');
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TabConfigError that says what to write instead
 */
export function resolveAppleSettings(options: AppleAppAttestOptions): AppleSettings {
  if (!isJsonObject(options)) fail('give an object with appId and environment');
  const { environment, roots = APPLE_APP_ATTEST_ROOTS, maxAge = DEFAULT_MAX_AGE, receipt = false } = options;
  if (environment !== 'development' && environment !== 'production') {
    fail("environment must be 'production', or 'development' for builds with the development entitlement");
  }
  if (!Number.isSafeInteger(maxAge) || maxAge <= 0) fail('maxAge must be a whole number of seconds above 0');
  if (typeof receipt !== 'boolean') fail('receipt must be true or false');
  if (!checkRoots(roots)) fail("roots must list one or more certificates in PEM; leave it out for Apple's");
  return {
    appIds: checkedAppIds(options),
    environment,
    validationCategories: checkedCategories(options.validationCategories),
    roots,
    maxAge,
    receipt,
  };
}
