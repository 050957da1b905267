import type { BindOutcome, BoundSession, Rebinding, RebindOutcome } from '../../../bindings/binding.types.js';
import { WorkConflict, type SqlValue, type Statement, type Work } from '../database/statement.js';
import { decodeRow, encodeRow } from '../rows/column.js';
import { INSTANCE, SESSION } from '../rows/shapes.js';
import type { BindingSql } from './binding-sql.js';

const statement = (sql: string, ...params: SqlValue[]): Statement => ({ sql, params });

/** The steps of `BindingStore.bind`. */
export function* bindWork(sql: BindingSql, session: BoundSession): Work<BindOutcome> {
  // Ensures that no session of a revoked instance is born: a revocation waits for this lock, or is seen here.
  const { rows } = yield statement(sql.shareInstance, session.instanceId);
  const instance = rows[0] && decodeRow(INSTANCE, rows[0], 'i_');
  if (instance?.id !== session.instanceId || instance.status !== 'active') return 'instance_inactive';

  const hash = session.credentialHash;
  if (hash !== null && (yield* endHolders(sql, hash, session.createdAt))) return 'credential_taken';
  yield statement(sql.insertSession, ...encodeRow(SESSION, session));
  if (hash !== null) yield* ensureNotReplaced(sql, hash);
  return 'bound';
}

/** The steps of `BindingStore.rebind`. */
export function* rebindWork(sql: BindingSql, change: Rebinding): Work<RebindOutcome> {
  const { rows } = yield statement(sql.lockSession, change.sessionId);
  const session = rows[0] && decodeRow(SESSION, rows[0], 's_');
  if (!session || !isLiveFor(session, change)) return 'session_inactive';

  // A refresh that brings the credential the session names already changes nothing.
  if (session.credentialHash === change.credentialHash) return 'rebound';
  if (yield* endHolders(sql, change.credentialHash, change.now)) return 'credential_taken';
  const previousUntil = session.credentialHash === null ? null : change.previousValidUntil;
  yield statement(sql.refreshSession, change.credentialHash, session.credentialHash, previousUntil, session.id);
  yield* ensureNotReplaced(sql, change.credentialHash);
  return 'rebound';
}

function isLiveFor(session: BoundSession, { sessionId, instanceId, now }: Rebinding): boolean {
  return (
    session.id === sessionId && session.instanceId === instanceId && session.endedAt === null && now < session.expiresAt
  );
}

/** Ends every session that names the hash, and tells whether there was one, ended long ago or not. */
function* endHolders(sql: BindingSql, hash: string, at: number): Work<boolean> {
  // A hash only ever moves from current to previous: looked for in this order, it is not missed while it moves.
  const current = yield statement(sql.lockByCredential, hash);
  const previous = yield statement(sql.lockByPrevious, hash);
  const holders = [...current.rows, ...previous.rows]
    .map((row) => decodeRow(SESSION, row, 's_'))
    .filter((session) => session.credentialHash === hash || session.previousCredentialHash === hash);
  for (const { id } of holders) yield statement(sql.endSession, at, 'credential_taken', id);
  return holders.length > 0;
}

/**
 * Ensures that the hash did not become another session's previous one since `endHolders` looked. From our write on, the
 * unique index keeps everybody else from naming it, so that what this look does not find never comes.
 */
function* ensureNotReplaced(sql: BindingSql, hash: string): Work<void> {
  const { rows } = yield statement(sql.lockByPrevious, hash);
  if (rows.length > 0) throw new WorkConflict('the credential was bound and replaced meanwhile');
}
