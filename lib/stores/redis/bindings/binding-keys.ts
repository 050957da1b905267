/**
 * Everything that is kept, each in one key. All of them share one hash tag, and so one slot of a cluster: only then may one
 * script use them, and every script names all that it uses. Times in scores and texts are seconds since the epoch.
 */
export const BINDING_KEYS = {
  /** Hash: id → row. */
  instances: 'instances',
  /** Set of app ids that have, or had, instances. */
  apps: 'apps',
  /** Sorted by text: `<app id> <status> <id>`. */
  listed: 'listed',
  /** Sorted by creation: active instances of format `none` that have no session. */
  idle: 'idle',
  /** Hash: id → row. */
  sessions: 'sessions',
  /** Hash: credential hash → the session that names it, now or before its last refresh. */
  holders: 'holders',
  /** Sorted by text: `<instance id> <session id>`. */
  ofInstance: 'of-instance',
  /** Sorted by text: `<hash of the subject> <created> <session id>`. */
  ofSubject: 'of-subject',
  /** Sorted by expiry: all sessions. */
  expiring: 'expiring',
  /** Sorted by their end: sessions that were ended. */
  ended: 'ended',
  /** Hash: id → `<instance id> NUL <JSON>`. */
  breaches: 'breaches',
  /** Sorted by text: `<time><id>`. */
  breachTimes: 'breach-times',
  /** Sorted by text: `<instance id> NUL <time><id>`. */
  breachesOf: 'breaches-of',
  /** Sorted by text: `<app id> <range>`. */
  blocks: 'blocks',
  /** Hash: `<app id> <range>` → JSON. */
  blockNotes: 'block-notes',
  /** Never there. Deleting it changes nothing and is refused wherever a write would be. */
  guard: 'guard',
} as const;

/** Name of one key. */
export type BindingKey = keyof typeof BINDING_KEYS;

/** The key as Redis has it. */
export function bindingKey(prefix: string, key: BindingKey): string {
  return `${prefix}{tab}:${BINDING_KEYS[key]}`;
}
