import { isJsonObject, type JsonObject } from '../token/json.js';
import type { SignalEvent } from './events.js';
import { SignalError } from './signal-error.js';
import type { SignalTarget } from './signals.types.js';

/** A subject identifier (RFC 9493): its `format`, and the members of that format as the transmitter signed them. */
export type SubjectId = { readonly format: string } & Readonly<Record<string, unknown>>;

/** Longest name that is looked up, in characters: that of a session's subject. */
const NAME_MAX = 255;

function isSubjectId(value: unknown): value is SubjectId & JsonObject {
  return isJsonObject(value) && typeof value['format'] === 'string' && value['format'] !== '';
}

/** Reads `sub_id`. @throws SignalError `invalid_request` */
export function readSubjectId(value: unknown): SubjectId {
  if (!isSubjectId(value)) throw new SignalError('invalid_request', 'sub_id is not a subject identifier');
  return value;
}

function nameOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= NAME_MAX && !value.includes('\0')
    ? value
    : undefined;
}

/** The id of an `opaque` identifier. */
function opaqueOf(value: unknown): string | undefined {
  return isSubjectId(value) && value.format === 'opaque' ? nameOf(value['id']) : undefined;
}

/** The name of a user: `opaque`, or `iss_sub` of the transmitter itself, since nobody may speak for the users of another issuer. */
function userOf(value: unknown, iss: string): string | undefined {
  if (!isSubjectId(value)) return undefined;
  if (value.format === 'iss_sub') return value['iss'] === iss ? nameOf(value['sub']) : undefined;
  return opaqueOf(value);
}

/** A complex identifier: each of `user`, `device` and `session` that is there must be one that is understood. */
function complexTarget(subId: SubjectId, iss: string): SignalTarget | undefined {
  const { user, device, session } = subId;
  const target = { subject: userOf(user, iss), instanceId: opaqueOf(device), sessionId: opaqueOf(session) };
  // A member left out would widen whom the event is about.
  if (user !== undefined && target.subject === undefined) return undefined;
  if (device !== undefined && target.instanceId === undefined) return undefined;
  if (session !== undefined && target.sessionId === undefined) return undefined;
  return target;
}

/** What a simple `opaque` identifier may name, by the event, the likeliest first. A session's id is random: no user is called so. */
function opaqueTargets(id: string, event: SignalEvent): readonly SignalTarget[] {
  if (event.type === 'session-revoked') return [{ sessionId: id }, { subject: id }];
  if (event.type === 'device-compliance-change') return [{ instanceId: id }];
  if (event.principal === 'DEVICE') return [{ instanceId: id }];
  return event.principal === 'SESSION' ? [{ sessionId: id }] : [{ subject: id }];
}

/**
 * Whom a subject identifier means unless the configuration says otherwise: the first of these that is known here.
 * - `complex`: `user` (`iss_sub` of this transmitter, or `opaque`) is the subject, `device` (`opaque`) the instance id,
 *   `session` (`opaque`) the session id; together they narrow each other; `tenant` and others are not looked at
 * - `iss_sub` of this transmitter: the subject
 * - `opaque`: for `session-revoked` the session id, else the subject; otherwise what the event is about
 *
 * All other formats mean nobody.
 */
export function defaultTargets(subId: SubjectId, event: SignalEvent, iss: string): readonly SignalTarget[] {
  if (subId.format === 'complex') {
    const target = complexTarget(subId, iss);
    return target === undefined ? [] : [target];
  }
  if (subId.format === 'opaque') {
    const id = opaqueOf(subId);
    return id === undefined ? [] : opaqueTargets(id, event);
  }
  const subject = userOf(subId, iss);
  return subject === undefined ? [] : [{ subject }];
}

/** A target as a mapping function gave it, if it names anybody. */
export function checkedTargets(target: SignalTarget | undefined): readonly SignalTarget[] {
  if (target === undefined) return [];
  const given = [target.subject, target.sessionId, target.instanceId].filter((name) => name !== undefined);
  // A member that is no name must not be taken for one left out.
  if (given.length === 0 || !given.every((name) => nameOf(name) !== undefined)) return [];
  return [target];
}
