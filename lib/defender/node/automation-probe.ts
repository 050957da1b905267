import type { Probe, ProbeResult } from '../probe.js';
import { processFacts, type ProcessFacts } from './process-facts.js';
import { optionName, processStart } from './process-start.js';
import { words } from './words.js';

/** Options of the automation probe. */
export interface AutomationProbeOptions {
  /** Names of variables and programs that do not count; default none. */
  readonly allow?: readonly string[];
  /** The process to look at; default this one. */
  readonly facts?: Partial<ProcessFacts>;
}

/** Options by which a driver takes an Electron app over. */
const DRIVER_OPTIONS =
  /^--(remote-debugging-(port|pipe|address|socket-name)|remote-allow-origins|enable-automation|test-type)$/;
/** Variables that the tools set for what they start ... */
const TOOL_VARIABLE = /^(WEBDRIVER|PLAYWRIGHT|PUPPETEER|SELENIUM|CYPRESS|SPECTRON|WDIO)(_|$)/;
/** ... except those that only say where a tool is installed: images of build machines have them for every process. */
const INSTALL_VARIABLE = /_(SKIP_\w+|DOWNLOAD_\w+|INSTALL_\w+|CACHE_\w+|BROWSERS_PATH|EXECUTABLE_PATH)$/;
/** Programs that drive others, as comm(5) has them: 15 characters at most. */
const DRIVERS = new Set(
  words(`chromedriver electron-chrome geckodriver msedgedriver operadriver WebKitWebDriver WPEWebDriver
    selenium-server selenium-manage appium playwright cypress Cypress`),
);
/** How far up the parents are looked at. */
const GENERATIONS = 8;

/**
 * `automation`: a driver started this process or takes it over: a WebDriver among its parents (Linux), a variable that
 * WebDriver, Playwright, Puppeteer, Selenium or Cypress sets, or, in Electron, a remote debugging option. Where the parents
 * cannot be looked at, which is everywhere but on Linux, it is never `clear`.
 */
export function automationProbe(options: AutomationProbeOptions = {}): Probe {
  const facts = processFacts(options.facts);
  const allowed = new Set(options.allow);
  return { name: 'automation', run: () => look(facts, (name) => !allowed.has(name)) };
}

async function look(facts: ProcessFacts, foreign: (name: string) => boolean): Promise<ProbeResult> {
  const { options, names } = await processStart(facts);
  if (facts.electron && options.some((option) => DRIVER_OPTIONS.test(optionName(option)))) return 'found';
  const telling = names.filter((name) => TOOL_VARIABLE.test(name) && !INSTALL_VARIABLE.test(name));
  if (telling.some(foreign)) return 'found';
  // Elsewhere the parents cannot be looked at.
  if (facts.platform !== 'linux') return 'unknown';
  return parents(facts, foreign);
}

/** A parent that `/proc` does not show (`hidepid`, proc(5)) cannot be ruled out. */
async function parents(facts: ProcessFacts, foreign: (name: string) => boolean): Promise<ProbeResult> {
  let pid = facts.ppid;
  for (let generation = 0; generation < GENERATIONS && pid > 0; generation += 1) {
    const status = (await facts.read(`/proc/${pid}/status`)) ?? '';
    const name = /^Name:\t(.*)$/m.exec(status)?.[1];
    const parent = /^PPid:\t(\d+)$/m.exec(status)?.[1];
    if (name === undefined || parent === undefined) return 'unknown';
    if (DRIVERS.has(name) && foreign(name)) return 'found';
    pid = Number(parent);
  }
  return 'clear';
}
