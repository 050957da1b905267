import type { CleanRealm } from './clean-realm.js';

/** Of a function literal, so that a replaced `Function` does not matter. */
const FUNCTION_PROTOTYPE: object = Reflect.getPrototypeOf(() => undefined) ?? {};

/** Whether the property `actual` of the page is what the clean realm has in that place. */
export function isUntouched(
  actual: PropertyDescriptor | undefined,
  clean: PropertyDescriptor,
  realm: CleanRealm,
): boolean {
  if (!actual) return false;
  const shape = (['configurable', 'enumerable', 'writable'] as const).every((flag) => actual[flag] === clean[flag]);
  return shape && (['value', 'get', 'set'] as const).every((slot) => isSame(actual[slot], clean[slot], realm));
}

function isSame(actual: unknown, clean: unknown, realm: CleanRealm): boolean {
  if (typeof clean !== 'function') return typeof actual === typeof clean;
  return typeof actual === 'function' && isSameNative(actual, clean, realm);
}

function isSameNative(actual: object, clean: object, realm: CleanRealm): boolean {
  // Ensures that it is the platform's own code, of the same name. A Proxy passes this.
  if (source(actual, realm) !== source(clean, realm)) return false;
  // Ensures that nothing lies over its members, such as a `toString` of its own.
  if (keys(actual, realm) !== keys(clean, realm)) return false;
  // Ensures that it belongs to this page, not to a frame of someone's.
  const plain = realm.Reflect.getPrototypeOf(clean) === realm.functionPrototype;
  if (plain !== (realm.Reflect.getPrototypeOf(actual) === FUNCTION_PROTOTYPE)) return false;
  return !isProxy(actual, clean, realm);
}

function source(fn: object, { Reflect, functionToString }: CleanRealm): string {
  return Reflect.apply(functionToString, fn, []);
}

function keys(fn: object, { Reflect }: CleanRealm): string {
  return Reflect.ownKeys(fn).map(String).sort().join();
}

/**
 * A function cannot become its own ancestor: the engine refuses the cycle, with an error of the realm whose
 * `setPrototypeOf` it was. The walk that finds the cycle ends at a Proxy (ECMA-262, OrdinarySetPrototypeOf), so with one in
 * the way there is no refusal, or another one, or one of a realm that the Proxy's maker could reach.
 */
function isProxy(actual: object, clean: object, realm: CleanRealm): boolean {
  const expected = refusal(clean, realm);
  return expected === undefined || refusal(actual, realm) !== expected;
}

function refusal(fn: object, { Object, Reflect, typeErrorPrototype }: CleanRealm): string | undefined {
  const before = Reflect.getPrototypeOf(fn);
  try {
    Object.setPrototypeOf(fn, Object.create(fn) as object);
  } catch (error) {
    const own = typeof error === 'object' && error !== null && Reflect.getPrototypeOf(error) === typeErrorPrototype;
    return own ? (error as Error).message : undefined;
  }
  Reflect.setPrototypeOf(fn, before);
  return undefined;
}
