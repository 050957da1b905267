/** The parts of the platform that the app's secrets and requests pass through, as paths of own properties from the global. */
export const WATCHED = [
  'fetch',
  'Headers',
  'Headers.prototype.append',
  'Headers.prototype.set',
  'Headers.prototype.get',
  'Request',
  'Request.prototype.headers',
  'Request.prototype.arrayBuffer',
  'Response.prototype.headers',
  'Response.prototype.arrayBuffer',
  'Response.prototype.json',
  'Response.prototype.text',
  'XMLHttpRequest',
  'XMLHttpRequest.prototype.open',
  'XMLHttpRequest.prototype.send',
  'XMLHttpRequest.prototype.setRequestHeader',
  'crypto',
  'Crypto.prototype.subtle',
  'Crypto.prototype.getRandomValues',
  'SubtleCrypto.prototype.sign',
  'SubtleCrypto.prototype.verify',
  'SubtleCrypto.prototype.digest',
  'SubtleCrypto.prototype.encrypt',
  'SubtleCrypto.prototype.decrypt',
  'SubtleCrypto.prototype.generateKey',
  'SubtleCrypto.prototype.importKey',
  'SubtleCrypto.prototype.exportKey',
  'SubtleCrypto.prototype.deriveBits',
  'SubtleCrypto.prototype.deriveKey',
  'Navigator.prototype.credentials',
  'CredentialsContainer.prototype.create',
  'CredentialsContainer.prototype.get',
  'IDBFactory.prototype.open',
  'IDBObjectStore.prototype.add',
  'IDBObjectStore.prototype.get',
  'IDBObjectStore.prototype.put',
  'TextEncoder.prototype.encode',
  'JSON.parse',
  'JSON.stringify',
  'Reflect.apply',
  'Reflect.getOwnPropertyDescriptor',
  'Object.defineProperty',
  'Object.getOwnPropertyDescriptor',
  'Function.prototype.apply',
  'Function.prototype.bind',
  'Function.prototype.call',
  'Function.prototype.toString',
  'HTMLIFrameElement.prototype.contentWindow',
] as const;

/** A path that the `hooking` probe compares. */
export type WatchedPath = (typeof WATCHED)[number];

/** Who asks whether the browser is driven. */
export const WEBDRIVER = 'Navigator.prototype.webdriver';

/** The property at `path`, reached without running a getter of the page; undefined where there is none. */
export function locate(global: object, path: string): PropertyDescriptor | undefined {
  let found: PropertyDescriptor | undefined = { value: global };
  for (const step of path.split('.')) {
    const owner: unknown = found?.value;
    if (!isObject(owner)) return undefined;
    found = getOwnPropertyDescriptor(owner, step);
  }
  return found;
}

export function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

// Taken when this module loads: what is patched later is looked at, not called.
const { getOwnPropertyDescriptor } = Reflect;
