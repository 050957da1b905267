import type { Probe, ProbeResult } from '../probe.js';

/** Options of the extension probe. */
export interface ExtensionInjectionProbeOptions {
  /**
   * `script`: code of an extension among the page's own, which can read all that the page can. `any`: also styles, images and
   * frames, which many harmless extensions add. Default `script`.
   */
  readonly elements?: 'script' | 'any';
}

const SCHEME = /^(?:chrome|moz|safari|safari-web|ms-browser)-extension:/i;
const SCRIPTS = 'script[src], link[rel~="modulepreload"][href], link[as="script"][href]';
const ANY = `${SCRIPTS}, link[href], img[src], iframe[src], frame[src], embed[src], object[data]`;

/**
 * `x-web-extension-injection`: elements of the page that load from a browser extension, or that it has loaded. It does not see
 * extensions that work in their own world, that run code in the page's world without an element, or that take their element
 * away at once, which hides it except where the browser lists what was loaded.
 */
export function extensionInjectionProbe(options: ExtensionInjectionProbeOptions = {}): Probe {
  const any = options.elements === 'any';
  return { name: 'x-web-extension-injection', run: () => look(any) };
}

function look(any: boolean): ProbeResult {
  if (typeof document === 'undefined') return 'unknown';
  const elements = [...document.querySelectorAll(any ? ANY : SCRIPTS)].map(addressOf);
  const entries = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
  const loaded = entries.filter(({ initiatorType }) => any || initiatorType === 'script').map(({ name }) => name);
  return [...elements, ...loaded].some((address) => SCHEME.test(address)) ? 'found' : 'clear';
}

function addressOf(element: Element): string {
  const attribute = ['src', 'href', 'data'].find((name) => element.hasAttribute(name));
  return (attribute === undefined ? '' : (element.getAttribute(attribute) ?? '')).trim();
}
