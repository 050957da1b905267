import type { RuntimeEvidence } from '../token/claims.types.js';
import type { AppraisalInput } from './appraisal.types.js';

/** The finding of evidence that contradicts what the platform attested, or itself. Policies answer it like a threat. */
export const CONTRADICTION = 'x-tab-contradiction';

/** Seconds by which evidence may be older than the key: the oldest evidence that a first request may carry. */
const BEFORE_ENROLMENT = 300;

/** What attesters put into `attestationClaims` for this: `verifiedBootState`, `securityLevel`, `emulator`, `appVersion`. */
type Facts = Readonly<Record<string, unknown>>;

type JudgedClaims = Pick<AppraisalInput, 'claims' | 'instance'>;

/*
 * What the platform attested about the device stands whatever the evidence says. If only `clear` were looked at, a client
 * would be let in for saying less: nothing about the probe, or the threat as found where a policy lets that threat through.
 * A policy that lets such devices in says so of the contradiction itself.
 */

/** The platform attested that the boot was not verified. */
function contradictsBoot({ verifiedBootState }: Facts): boolean {
  return typeof verifiedBootState === 'string' && verifiedBootState !== 'VERIFIED';
}

/** The platform attested in software, from an emulator. */
function contradictsDevice({ emulator, securityLevel }: Facts): boolean {
  return emulator === true && securityLevel === 'software';
}

/** The running version is another than the platform attested. */
function contradictsVersion(version: string, { appVersion }: Facts): boolean {
  return typeof appVersion === 'string' && appVersion !== version;
}

/** Whether the evidence says the opposite, or does not say it. */
function said(name: string, { clear, found }: RuntimeEvidence): string {
  if (clear.includes(name)) return `${name} clear`;
  return found.includes(name) ? `${name} found` : `${name} not checked`;
}

/** What contradicts, in a few words for the record; undefined when nothing does. */
export function findContradiction({ claims, instance }: JudgedClaims): string | undefined {
  const facts = instance.attestationClaims;
  const { rt, app } = claims;
  if (contradictsBoot(facts)) return `${said('root', rt)}, boot not verified`;
  if (contradictsDevice(facts)) return `${said('emulator', rt)}, attested by an emulator`;
  if (contradictsVersion(app.ver, facts)) return 'another version than attested';
  if (rt.at < instance.createdAt - BEFORE_ENROLMENT) return 'measured before the key existed';
  return undefined;
}

/** Threats found, and a contradiction as a finding of its own with what it is about. */
export function findingsOf(judged: JudgedClaims): {
  readonly names: readonly string[];
  readonly contradiction: string | undefined;
} {
  const { found } = judged.claims.rt;
  const contradiction = findContradiction(judged);
  const names = contradiction === undefined || found.includes(CONTRADICTION) ? found : [...found, CONTRADICTION];
  return { names, contradiction };
}
