import { isJsonObject, type JsonObject } from '../token/json.js';
import { SignalError } from './signal-error.js';

/** Where CAEP 1.0 has its event types (section 3). */
export const CAEP_EVENT_BASE = 'https://schemas.openid.net/secevent/caep/event-type/';

/** Risk levels of CAEP 1.0. */
export type RiskLevel = 'LOW' | 'MEDIUM' | 'HIGH';
/** What a risk is about, of those that CAEP 1.0 and the Shared Signals Framework name. */
export type RiskPrincipal = 'USER' | 'DEVICE' | 'SESSION' | 'TENANT' | 'ORG_UNIT' | 'GROUP';

/** A CAEP 1.0 event of a type that is acted on, with the members that matter here. */
export type SignalEvent =
  | { readonly type: 'session-revoked' }
  | { readonly type: 'device-compliance-change'; readonly currentStatus: 'compliant' | 'not-compliant' }
  | { readonly type: 'risk-level-change'; readonly principal: RiskPrincipal; readonly currentLevel: RiskLevel };

/** The short name of an event type. */
export type SignalEventType = SignalEvent['type'];

const STATUSES = ['compliant', 'not-compliant'] as const;
const LEVELS = ['LOW', 'MEDIUM', 'HIGH'] as const;
const PRINCIPALS = ['USER', 'DEVICE', 'SESSION', 'TENANT', 'ORG_UNIT', 'GROUP'] as const;

/** A member that must be one of some words (CAEP 1.0 section 3), else the payload does not conform to the event's definition. */
function wordOf<T extends string>(payload: JsonObject, member: string, words: readonly T[]): T {
  const found = words.find((word) => word === payload[member]);
  if (found === undefined) throw new SignalError('invalid_request', `${member} is not one of ${words.join(', ')}`);
  return found;
}

/** How the payload of each type is read. Members that change nothing here are not looked at. */
const READERS = new Map<string, (payload: JsonObject) => SignalEvent>([
  [`${CAEP_EVENT_BASE}session-revoked`, () => ({ type: 'session-revoked' })],
  [
    `${CAEP_EVENT_BASE}device-compliance-change`,
    (payload) => ({
      type: 'device-compliance-change',
      currentStatus: wordOf(payload, 'current_status', STATUSES),
    }),
  ],
  [
    `${CAEP_EVENT_BASE}risk-level-change`,
    (payload) => ({
      type: 'risk-level-change',
      principal: wordOf(payload, 'principal', PRINCIPALS),
      currentLevel: wordOf(payload, 'current_level', LEVELS),
    }),
  ],
]);

/**
 * Reads the `events` claim (RFC 8417 section 2.2): an object with at least one event, each an object.
 *
 * @returns undefined when there is no event of a type that is acted on; a recipient ignores those, as streams carry
 *   verification events and types that it did not ask for
 * @throws SignalError `invalid_request`, also for two events that would be acted on: one token is one logical event
 */
export function readEvent(events: unknown): SignalEvent | undefined {
  if (!isJsonObject(events)) throw new SignalError('invalid_request', 'events is not an object');
  const entries = Object.entries(events);
  if (entries.length === 0) throw new SignalError('invalid_request', 'events is empty');
  const known = entries.filter(([uri]) => READERS.has(uri));
  if (!entries.every(([, payload]) => isJsonObject(payload)))
    throw new SignalError('invalid_request', 'an event is not an object');
  if (known.length > 1) throw new SignalError('invalid_request', 'more than one event to act on');
  const [entry] = known;
  return entry && READERS.get(entry[0])?.(entry[1] as JsonObject);
}
