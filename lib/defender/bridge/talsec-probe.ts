import type { Probe } from '../probe.js';
import { raspProbe } from './rasp-probe.js';

/** Callbacks that freeRASP has on both platforms. */
const BOTH = {
  privilegedAccess: 'root',
  debug: 'debugger',
  simulator: 'emulator',
  appIntegrity: 'tamper',
  unofficialStore: 'untrusted-install',
  hooks: 'hooking',
  deviceBinding: 'device-binding',
  passcode: 'no-passcode',
  systemVPN: 'vpn',
  // A device without secure hardware has nothing that could be compromised: the vendor's own name says what it is.
  secureHardwareNotAvailable: 'x-talsec-secure-hardware-not-available',
  screenshot: 'screen-capture',
  screenRecording: 'screen-capture',
  automation: 'automation',
} as const;

const ANDROID = {
  ...BOTH,
  obfuscationIssues: 'obfuscation-missing',
  devMode: 'developer-mode',
  adbEnabled: 'developer-mode',
  malware: 'malware',
  multiInstance: 'cloned-instance',
  timeSpoofing: 'time-spoof',
  locationSpoofing: 'location-spoof',
  unsecureWifi: 'unsafe-network',
  overlay: 'overlay',
  bootloader: 'x-talsec-bootloader',
} as const;

const IOS = { ...BOTH, deviceID: 'device-binding' } as const;

const THREATS = { android: ANDROID, ios: IOS } as const;

/** Names of freeRASP's callbacks. */
export type TalsecCallback = keyof typeof ANDROID | keyof typeof IOS;

/** Callbacks whose checks need a permission or a configuration, came with later versions, or tell of events only. */
const NOT_BY_DEFAULT: ReadonlySet<string> = new Set<TalsecCallback>([
  'automation',
  'bootloader',
  'locationSpoofing',
  'malware',
  'overlay',
  'screenRecording',
  'screenshot',
  'timeSpoofing',
  'unsecureWifi',
]);

/** The callbacks to hand to freeRASP: `ThreatEventActions`. */
export type TalsecActions = Readonly<Record<TalsecCallback, () => void>>;
/** The callbacks to hand to freeRASP: `RaspExecutionStateEventActions`. */
export interface TalsecExecutionActions {
  readonly allChecksFinished: () => void;
}

/** Options of the freeRASP probe. */
export interface TalsecProbeOptions {
  readonly platform: 'android' | 'ios';
  /** Further callbacks whose checks this build really makes, so that their absence means clear: such as `automation`, `malware`. */
  readonly checks?: readonly TalsecCallback[];
  /** Callbacks that are not told at all, such as `screenshot`, which would stay found until the app is started anew. */
  readonly ignore?: readonly TalsecCallback[];
}

/**
 * freeRASP (Talsec) by the callbacks of its React Native, Capacitor and Cordova packages. `subscribe` is called once and hands
 * both objects over, before freeRASP is started: `(actions, state) => startFreeRASP(config, actions, state)`.
 *
 * freeRASP tells what it found and, from the versions with `allChecksFinished` on, that it has looked: until then nothing is
 * clear. A threat stays found until the process ends. When `subscribe` fails, nothing was checked.
 * @throws TypeError when `platform` is neither
 */
export function talsecProbe(
  subscribe: (actions: TalsecActions, state: TalsecExecutionActions) => unknown,
  options: TalsecProbeOptions,
): Probe {
  const { platform, checks = [], ignore = [] } = options;
  if (!Object.hasOwn(THREATS, platform)) throw new TypeError("talsecProbe option platform: write 'android' or 'ios'");
  const threats: Readonly<Record<string, string>> = THREATS[platform];
  const supported = Object.keys(threats).filter(
    (name) => !NOT_BY_DEFAULT.has(name) || checks.some((check) => check === name),
  );
  let tell: (name: string) => void = () => undefined;
  let finish = (): void => undefined;
  const source = {
    onThreat: (listener: (name: string) => void) => (tell = listener),
    onChecked: (listener: () => void) => (finish = listener),
    supported: supported.filter((name) => !ignore.some((each) => each === name)),
  };
  const probe = raspProbe(source, { vendor: 'talsec', threats });
  const names = Object.keys({ ...ANDROID, ...IOS }) as TalsecCallback[];
  const actions = names.map((name) => [name, () => (ignore.includes(name) ? undefined : tell(name))]);
  void begin(() => subscribe(Object.fromEntries(actions) as TalsecActions, { allChecksFinished: () => finish() }));
  return probe;
}

/** Without a subscription nothing is ever told, so nothing is ever clear. */
async function begin(subscribe: () => unknown): Promise<void> {
  try {
    await subscribe();
  } catch {
    // Not checked.
  }
}
