import { createHash } from 'node:crypto';

/** What an attestation covers (PROTOCOL section 5). */
export interface EnrolmentBinding {
  /** Scheme and authority of `htu`. */
  readonly origin: string;
  readonly challenge: string;
  readonly appId: string;
  readonly thumbprint: string;
}

/** `SHA-256("tab-enroll-v1" LF origin LF challenge LF app.id LF thumbprint)`, 32 octets. */
export function enrolmentBinding({ origin, challenge, appId, thumbprint }: EnrolmentBinding): Buffer {
  return createHash('sha256').update(['tab-enroll-v1', origin, challenge, appId, thumbprint].join('\n')).digest();
}
