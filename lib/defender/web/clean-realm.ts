import { locate, WATCHED, WEBDRIVER } from './natives.js';

/** What a realm is like in which no script of the page has run. */
export interface CleanRealm {
  readonly Date: typeof Date;
  readonly Object: typeof Object;
  readonly Reflect: typeof Reflect;
  readonly functionPrototype: object;
  readonly functionToString: () => string;
  readonly typeErrorPrototype: object;
  /** Its `navigator.webdriver`. */
  readonly webdriver: boolean;
  /** Its watched properties, by path; those that this browser does not have are left out. */
  readonly natives: ReadonlyMap<string, PropertyDescriptor>;
}

let realm: CleanRealm | undefined;

/**
 * The built-ins of an `about:blank` frame of our own, made once and removed at once; they work on without it. Undefined where
 * there is no document, or where the page may have no frame: then nothing can be compared.
 */
export function cleanRealm(): CleanRealm | undefined {
  realm ??= makeRealm();
  return realm;
}

function makeRealm(): CleanRealm | undefined {
  if (typeof document === 'undefined') return undefined;
  const frame = document.createElement('iframe');
  frame.hidden = true;
  try {
    document.documentElement.append(frame);
    return frame.contentWindow ? take(frame.contentWindow as Window & typeof globalThis) : undefined;
  } finally {
    frame.remove();
  }
}

/** All that is ever needed: what a removed frame still answers differs between browsers. */
function take(global: Window & typeof globalThis): CleanRealm {
  const natives = [...WATCHED, WEBDRIVER].flatMap((path) => {
    const descriptor = locate(global, path);
    return descriptor ? [[path, descriptor] as const] : [];
  });
  return {
    Date: global.Date,
    Object: global.Object,
    Reflect: global.Reflect,
    functionPrototype: global.Function.prototype,
    functionToString: global.Function.prototype.toString,
    typeErrorPrototype: global.TypeError.prototype,
    webdriver: global.navigator.webdriver === true,
    natives: new Map(natives),
  };
}
