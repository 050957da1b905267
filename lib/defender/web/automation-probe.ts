import type { Probe, ProbeResult } from '../probe.js';
import { cleanRealm, type CleanRealm } from './clean-realm.js';
import { isUntouched } from './native-check.js';
import { locate, WEBDRIVER } from './natives.js';

/** Globals and document members that drivers leave behind, by their full names. */
const TRACES = new Set([
  '__driver_evaluate',
  '__driver_unwrapped',
  '__fxdriver_evaluate',
  '__fxdriver_unwrapped',
  '__lastWatirAlert',
  '__lastWatirConfirm',
  '__lastWatirPrompt',
  '__nightmare',
  '__phantomas',
  '__playwright__binding__',
  '__puppeteer_evaluation_script__',
  '__pwInitScripts',
  '__selenium_evaluate',
  '__selenium_unwrapped',
  '__webdriver_evaluate',
  '__webdriver_script_fn',
  '__webdriver_script_func',
  '__webdriver_script_function',
  '__webdriver_unwrapped',
  '__webdriverFunc',
  '__$webdriverAsyncExecutor',
  '$chrome_asyncScriptInfo',
  '_phantom',
  '_Selenium_IDE_Recorder',
  '_selenium',
  '_WEBDRIVER_ELEM_CACHE',
  'callPhantom',
  'calledSelenium',
  'domAutomation',
  'domAutomationController',
]);
/** ChromeDriver's: a fixed start and 22 characters that differ between builds. */
const CHROME_DRIVER = /^\$?cdc_[A-Za-z0-9]{22}_/;
/** Attributes of the root element, set by Selenium. */
const ATTRIBUTES = ['webdriver', 'selenium', 'driver'] as const;

/**
 * `automation`: a driver steers the browser. `navigator.webdriver`, also asked in a clean frame, with the property itself
 * compared, so that hiding it shows; globals of ChromeDriver, Selenium, Playwright, Puppeteer, PhantomJS and others; a
 * headless user agent. It does not see drivers that change the browser instead of the page, or that type and click from the
 * outside.
 */
export function automationProbe(): Probe {
  return { name: 'automation', run: look };
}

function look(): ProbeResult {
  if (typeof document === 'undefined') return 'unknown';
  const realm = cleanRealm();
  const driven = isDriven(realm) || hasTraces(window) || hasTraces(document) || hasAttribute() || isHeadless();
  if (driven) return 'found';
  // Without the frame a hidden flag could not be seen.
  return realm ? 'clear' : 'unknown';
}

function isDriven(realm: CleanRealm | undefined): boolean {
  if (navigator.webdriver || realm?.webdriver) return true;
  // A property of the object itself hides the one of its prototype.
  if (Object.hasOwn(navigator, 'webdriver')) return true;
  const clean = realm?.natives.get(WEBDRIVER);
  return realm !== undefined && clean !== undefined && !isUntouched(locate(globalThis, WEBDRIVER), clean, realm);
}

function hasTraces(holder: object): boolean {
  return Object.getOwnPropertyNames(holder).some((name) => TRACES.has(name) || CHROME_DRIVER.test(name));
}

function hasAttribute(): boolean {
  return ATTRIBUTES.some((name) => document.documentElement.hasAttribute(name));
}

function isHeadless(): boolean {
  const { userAgentData } = navigator as { userAgentData?: { brands?: readonly { brand: string }[] } };
  const brands = (userAgentData?.brands ?? []).map(({ brand }) => brand);
  return [navigator.userAgent, navigator.appVersion, ...brands].some((text) => /headless/i.test(text));
}
