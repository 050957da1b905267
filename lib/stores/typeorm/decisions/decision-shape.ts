import type { TrustDecision } from '../../../trust/trust-decision.js';
import type { SqlRow, SqlValue } from '../database/statement.js';
import { decodeRow, encodeRow, integer, json, nullable, text, type Codec, type RowShape } from '../rows/column.js';

/**
 * Text of at most `length` characters; what is longer is cut off. A record must not be lost, and all others of its batch
 * with it, over one text that somebody made too long or put a NUL into, which PostgreSQL refuses.
 */
function clipped(length: number): Codec {
  const check = text(Number.MAX_SAFE_INTEGER);
  return {
    encode: (value) => (check.encode(value) as string).slice(0, length).replaceAll('\0', '\uFFFD'),
    decode: (raw) => check.decode(raw),
  };
}

/** A boolean as 1 or 0, which every engine counts alike. */
const flag: Codec = {
  encode: (value) => (value === true ? 1 : 0),
  decode: (raw) => integer.decode(raw) === 1,
};

/** Milliseconds as whole microseconds. */
const duration: Codec = {
  encode: (value) => Math.max(0, Math.round(Number(value) * 1000)) || 0,
  decode: (raw) => (integer.decode(raw) as number) / 1000,
};

/** Milliseconds since the epoch; clocks may give fractions. */
const moment: Codec = { encode: (value) => Math.floor(Number(value)) || 0, decode: integer.decode };

/** `tab_decision`. The lengths are those of the entity and the migration. */
export const DECISION: RowShape<TrustDecision> = {
  columns: [
    { property: 'id', name: 'id', codec: text(64) },
    { property: 'at', name: 'decided_at', codec: moment },
    { property: 'outcome', name: 'outcome', codec: clipped(16) },
    { property: 'enforced', name: 'enforced', codec: flag },
    { property: 'category', name: 'category', codec: clipped(32) },
    { property: 'code', name: 'code', codec: nullable(clipped(64)) },
    { property: 'detail', name: 'detail', codec: nullable(clipped(500)) },
    { property: 'method', name: 'method', codec: clipped(32) },
    { property: 'path', name: 'path', codec: clipped(256) },
    { property: 'route', name: 'route', codec: nullable(clipped(255)) },
    { property: 'handler', name: 'handler', codec: nullable(clipped(255)) },
    { property: 'instanceId', name: 'instance_id', codec: nullable(clipped(43)) },
    { property: 'proof', name: 'proof', codec: nullable(clipped(16)) },
    { property: 'appId', name: 'app_id', codec: nullable(clipped(128)) },
    { property: 'appVersion', name: 'app_version', codec: nullable(clipped(255)) },
    { property: 'sessionId', name: 'session_id', codec: nullable(clipped(64)) },
    { property: 'subject', name: 'subject', codec: nullable(clipped(255)) },
    { property: 'threats', name: 'threats', codec: json },
    { property: 'flags', name: 'flags', codec: json },
    { property: 'watched', name: 'watched', codec: json },
    { property: 'action', name: 'breach_action', codec: nullable(clipped(32)) },
    { property: 'duration', name: 'duration_us', codec: duration },
  ],
};

/** The values of the columns, in their order. */
export function encodeDecision(decision: TrustDecision): SqlValue[] {
  return encodeRow(DECISION, decision);
}

/** Reads a decision; what is NULL in the row is absent from it. */
export function decodeDecision(row: SqlRow): TrustDecision {
  const entries = Object.entries(decodeRow(DECISION, row, 'd_')).filter(([, value]) => value !== null);
  return Object.fromEntries(entries) as unknown as TrustDecision;
}
