/** The threat names of PROTOCOL section 3, for OWASP MASVS-RESILIENCE and MASVS-PLATFORM findings. */
export const THREATS = [
  'root',
  'emulator',
  'debugger',
  'hooking',
  'tamper',
  'memory-tamper',
  'untrusted-install',
  'device-binding',
  'keystore-compromised',
  'mitm',
  'vpn',
  'overlay',
  'accessibility-abuse',
  'screen-capture',
  'remote-control',
  'automation',
  'malware',
  'developer-mode',
  'cloned-instance',
  'time-spoof',
  'location-spoof',
  'no-passcode',
  'unsafe-network',
  'obfuscation-missing',
] as const;

/** A threat name: one of the protocol's, or a vendor's own `x-<vendor>-<name>`. */
export type ThreatName = (typeof THREATS)[number] | `x-${string}`;

const KNOWN: ReadonlySet<string> = new Set(THREATS);
const VENDOR_NAME = /^x-[a-z0-9]+-[a-z0-9-]+$/;

/** Whether a name is one of the protocol's own. */
export function isKnownThreat(name: string): boolean {
  return KNOWN.has(name);
}

/** Whether a name may be written in a policy: known, or of the form that vendors use. */
export function isThreatName(name: string): name is ThreatName {
  return name.length <= 64 && (KNOWN.has(name) || VENDOR_NAME.test(name));
}
