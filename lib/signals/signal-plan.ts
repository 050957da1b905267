import type { AppInstance, BoundSession } from '../bindings/binding.types.js';
import type { BindingServiceSettings } from '../bindings/tab-instances.js';
import type { TabInstances } from '../bindings/tab-instances.js';
import type { TabSessions } from '../bindings/tab-sessions.js';
import { callStore } from '../bindings/store-call.js';
import type { NonceStore } from '../nonces/nonce-store.js';
import type { RiskPrincipal, SignalEvent } from './events.js';
import type { SignalTarget } from './signals.types.js';

/** What of the server the receiver uses: the services that operators use too, so that whoever watches them sees what it does. */
export interface SignalServices {
  readonly instances: Pick<TabInstances, 'get' | 'suspend'>;
  readonly sessions: Pick<TabSessions, 'list' | 'revoke' | 'revokeSubject'>;
  readonly settings: BindingServiceSettings & { readonly nonces: NonceStore };
}

/** Whom an event is about, found here. */
export type Found =
  | { readonly kind: 'session'; readonly session: BoundSession }
  | { readonly kind: 'subject'; readonly subject: string; readonly sessions: readonly BoundSession[] }
  | { readonly kind: 'sessions'; readonly sessions: readonly BoundSession[] }
  | { readonly kind: 'instance'; readonly instance: AppInstance };

/** What part of a target an event is about. `any`: the narrowest there is. */
type Scope = 'any' | 'user' | 'device' | 'session';

/** TENANT and the like are larger than anything kept here: such a risk is only reported. */
const RISK_SCOPES: Readonly<Record<RiskPrincipal, Scope>> = {
  USER: 'user',
  DEVICE: 'device',
  SESSION: 'session',
  TENANT: 'any',
  ORG_UNIT: 'any',
  GROUP: 'any',
};

function scopeOf(event: SignalEvent): Scope {
  if (event.type === 'session-revoked') return 'any';
  return event.type === 'device-compliance-change' ? 'device' : RISK_SCOPES[event.principal];
}

/** Whether an event changes anything. Compliance alone does not end a suspension: that takes a new enrolment with clean evidence. */
export function isActedOn(event: SignalEvent, respondsToRisk: boolean): boolean {
  if (event.type === 'session-revoked') return true;
  if (event.type === 'device-compliance-change') return event.currentStatus === 'not-compliant';
  return respondsToRisk && event.currentLevel === 'HIGH' && RISK_SCOPES[event.principal] !== 'any';
}

async function findSession(services: SignalServices, target: SignalTarget): Promise<Found | undefined> {
  const { sessionId, instanceId, subject } = target;
  if (sessionId === undefined) return undefined;
  const { bindings, storeTimeout } = services.settings;
  const query = { instanceId: instanceId ?? '', sessionId };
  const { session } = await callStore('binding store', storeTimeout, () => bindings.load(query));
  if (session === undefined) return undefined;
  // Ensures that a session is not ended in the name of somebody whose session it is not.
  if (subject !== undefined && session.subject !== subject) return undefined;
  if (instanceId !== undefined && session.instanceId !== instanceId) return undefined;
  return { kind: 'session', session };
}

/** The sessions of a user, at most the newest 1000; a user with none is nobody. */
async function findUser(services: SignalServices, { subject, instanceId }: SignalTarget): Promise<Found | undefined> {
  if (subject === undefined) return undefined;
  const all = await services.sessions.list(subject);
  const sessions = instanceId === undefined ? all : all.filter((session) => session.instanceId === instanceId);
  if (sessions.length === 0) return undefined;
  return instanceId === undefined ? { kind: 'subject', subject, sessions } : { kind: 'sessions', sessions };
}

async function findInstance(services: SignalServices, { instanceId }: SignalTarget): Promise<Found | undefined> {
  const instance = instanceId === undefined ? undefined : await services.instances.get(instanceId);
  return instance && { kind: 'instance', instance };
}

function findOne(services: SignalServices, scope: Scope, target: SignalTarget): Promise<Found | undefined> {
  if (scope === 'session' || (scope === 'any' && target.sessionId !== undefined)) return findSession(services, target);
  if (scope === 'user') return findUser(services, { subject: target.subject });
  if (scope === 'any' && target.subject !== undefined) return findUser(services, target);
  return findInstance(services, target);
}

/** The first target that is known here, as far as the event is about it. Reads only. */
export async function findTarget(
  services: SignalServices,
  event: SignalEvent,
  targets: readonly SignalTarget[],
): Promise<Found | undefined> {
  for (const target of targets) {
    const found = await findOne(services, scopeOf(event), target);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether a session can still be used. */
function isLive({ endedAt, expiresAt }: BoundSession, now: number): boolean {
  return endedAt === null && now < expiresAt;
}

/** How a change is made. */
export interface Change {
  /** For operators. */
  readonly reason: string;
  /** Seconds since the epoch. */
  readonly now: number;
  /** Only what is older than this, in seconds since the epoch; undefined for everything. */
  readonly olderThan?: number;
}

async function endSessions(services: SignalServices, sessions: readonly BoundSession[], change: Change) {
  const { now, olderThan = Infinity, reason } = change;
  const meant = sessions.filter((session) => isLive(session, now) && session.createdAt < olderThan);
  const ended = await Promise.all(meant.map((session) => services.sessions.revoke(session.id, reason)));
  return ended.filter(Boolean).length;
}

/**
 * Ends the session, all sessions of the user, or suspends the instance: a device has no sessions of its own to end, and
 * a suspended instance can use none.
 *
 * @returns how many things changed
 * @throws TabError `store_unavailable`; what was done before stays done
 */
export async function carryOut(services: SignalServices, found: Found, change: Change): Promise<number> {
  const { reason, olderThan } = change;
  switch (found.kind) {
    case 'session':
      // A session that has ended never comes back, so this may be repeated.
      return endSessions(services, [found.session], { ...change, olderThan: undefined });
    case 'sessions':
      return endSessions(services, found.sessions, change);
    case 'subject':
      if (olderThan !== undefined) return endSessions(services, found.sessions, change);
      return services.sessions.revokeSubject(found.subject, reason);
    case 'instance':
      // An instance whose status changed since has been suspended for this, or has recovered from it.
      if (olderThan !== undefined && (found.instance.statusAt >= olderThan || found.instance.status !== 'active'))
        return 0;
      return Number(await services.instances.suspend(found.instance.id, reason));
  }
}
