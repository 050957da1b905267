import { BREACH_ACTIONS } from '../../../bindings/binding-arguments.js';
import type { AppInstance, BoundSession, Breach, VersionBlock } from '../../../bindings/binding.types.js';
import { ASSURANCE_LEVELS } from '../../../trust/assurance.js';
import { integer, json, nullable, text, word, type Column, type RowShape } from './column.js';

const column = (property: string, name: string, codec: Column['codec']): Column => ({ property, name, codec });

/** `tab_app_instance`. The lengths are those of the entity and the migrations. */
export const INSTANCE: RowShape<AppInstance> = {
  columns: [
    column('id', 'id', text(43)),
    column('appId', 'app_id', text(128)),
    column('appVersion', 'app_version', text(255)),
    column('platform', 'platform', text(32)),
    column('algorithm', 'algorithm', word(['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'])),
    column('publicKey', 'public_key', json),
    column('status', 'status', word(['active', 'suspended', 'revoked'])),
    column('statusReason', 'status_reason', nullable(text(200))),
    column('statusAt', 'status_at', integer),
    column('suspendedBy', 'suspended_by', json),
    column('assurance', 'assurance', word(ASSURANCE_LEVELS)),
    column('format', 'format', text(64)),
    column('attestedAt', 'attested_at', integer),
    column('attestationExpiresAt', 'attestation_expires_at', integer),
    column('attestationClaims', 'attestation_claims', json),
    column('createdAt', 'created_at', integer),
    column('revision', 'revision', integer),
  ],
};

/** `tab_bound_session`. */
export const SESSION: RowShape<BoundSession> = {
  columns: [
    column('id', 'id', text(64)),
    column('instanceId', 'instance_id', text(43)),
    column('subject', 'subject', text(255)),
    column('credentialHash', 'credential_hash', nullable(text(43))),
    column('previousCredentialHash', 'previous_credential_hash', nullable(text(43))),
    column('previousValidUntil', 'previous_valid_until', nullable(integer)),
    column('createdAt', 'created_at', integer),
    column('expiresAt', 'expires_at', integer),
    column('endedAt', 'ended_at', nullable(integer)),
    column('endReason', 'end_reason', nullable(text(200))),
  ],
};

/** `tab_breach`. */
export const BREACH: RowShape<Breach> = {
  columns: [
    column('id', 'id', text(22)),
    column('instanceId', 'instance_id', text(43)),
    column('sessionId', 'session_id', nullable(text(64))),
    column('at', 'breached_at', integer),
    column('code', 'code', text(64)),
    column('threats', 'threats', json),
    column('action', 'action', word(BREACH_ACTIONS)),
    column('detail', 'detail', text(500)),
  ],
};

/** `tab_blocked_version`, without the slot. */
export const BLOCK: RowShape<VersionBlock> = {
  columns: [
    column('appId', 'app_id', text(128)),
    column('range', 'version_range', text(255)),
    column('reason', 'reason', text(200)),
    column('at', 'blocked_at', integer),
  ],
};

/** A reason that fits its column. A revocation must not fail for being explained at length. */
export function clipReason(reason: string): string {
  return reason.length <= 200 ? reason : Array.from(reason).slice(0, 100).join('');
}
