import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { CAEP_EVENT_BASE } from './events.js';
import type { TransmitterSettings } from './transmitter-settings.js';
import type { TrustBreak } from './trust-break.js';

function opaque(id: string): { format: string; id: string } {
  return { format: 'opaque', id };
}

/** Whom a break is about (RFC 9493 complex subject, as the receiver's default mapping reads it). */
function subjectOf({ instanceId, sessionId, subject }: TrustBreak): Record<string, unknown> {
  return {
    format: 'complex',
    device: opaque(instanceId),
    ...(subject !== undefined && { user: opaque(subject) }),
    ...(sessionId !== undefined && { session: opaque(sessionId) }),
  };
}

/** The CAEP 1.0 event that a break is: `session-revoked` for a session, `device-compliance-change` for an instance. */
function eventOf({ action, threats, at }: TrustBreak): Record<string, unknown> {
  const common = {
    event_timestamp: Math.floor(at / 1000),
    initiating_entity: 'policy',
    reason_admin: { en: `trust broke: ${threats.length === 0 ? 'no threat named' : threats.join(', ')}` },
  };
  if (action === 'revoke-session') return { [`${CAEP_EVENT_BASE}session-revoked`]: common };
  const change = { previous_status: 'compliant', current_status: 'not-compliant' };
  return { [`${CAEP_EVENT_BASE}device-compliance-change`]: { ...change, ...common } };
}

/** An event for one receiver, not signed yet. */
export interface OutgoingEvent {
  readonly claims: Readonly<Record<string, unknown>> & { readonly jti: string };
}

/**
 * The claims of a Security Event Token (RFC 8417 section 2.2) for one receiver: no `exp`, no `sub`.
 *
 * @param now milliseconds since the epoch
 */
export function outgoingEvent(trustBreak: TrustBreak, iss: string, audience: string, now: number): OutgoingEvent {
  return {
    claims: {
      iss,
      aud: audience,
      iat: Math.floor(now / 1000),
      jti: randomBytes(16).toString('base64url'),
      sub_id: subjectOf(trustBreak),
      events: eventOf(trustBreak),
    },
  };
}

/** Signs an event. */
export function signEvent({ claims }: OutgoingEvent, { key, kid, alg }: TransmitterSettings): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader({ typ: 'secevent+jwt', alg, kid }).sign(key);
}
