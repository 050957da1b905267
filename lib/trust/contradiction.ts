import type { AppraisalInput } from './appraisal.types.js';

/** The finding of evidence that contradicts what the platform attested, or itself. Policies answer it like a threat. */
export const CONTRADICTION = 'x-tab-contradiction';

/** Seconds by which evidence may be older than the key: the oldest evidence that a first request may carry. */
const BEFORE_ENROLMENT = 300;

/** What attesters put into `attestationClaims` for this: `verifiedBootState`, `securityLevel`, `emulator`, `appVersion`. */
type Facts = Readonly<Record<string, unknown>>;

/** The evidence says that the device is not rooted; the platform, that its boot was not verified. */
function contradictsBoot(clear: readonly string[], { verifiedBootState }: Facts): boolean {
  return clear.includes('root') && typeof verifiedBootState === 'string' && verifiedBootState !== 'VERIFIED';
}

/** The evidence says that this is no emulator; the platform attested in software, from one. */
function contradictsDevice(clear: readonly string[], { emulator, securityLevel }: Facts): boolean {
  return clear.includes('emulator') && emulator === true && securityLevel === 'software';
}

/** The running version is another than the platform attested. */
function contradictsVersion(version: string, { appVersion }: Facts): boolean {
  return typeof appVersion === 'string' && appVersion !== version;
}

/** What contradicts, in a few words for the record; undefined when nothing does. */
export function findContradiction({ claims, instance }: AppraisalInput): string | undefined {
  const facts = instance.attestationClaims;
  const { at, clear } = claims.rt;
  if (contradictsBoot(clear, facts)) return 'root clear, boot not verified';
  if (contradictsDevice(clear, facts)) return 'emulator clear, attested by an emulator';
  if (contradictsVersion(claims.app.ver, facts)) return 'another version than attested';
  if (at < instance.createdAt - BEFORE_ENROLMENT) return 'measured before the key existed';
  return undefined;
}
