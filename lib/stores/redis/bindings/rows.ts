import { createHash } from 'node:crypto';
import { BREACH_ACTIONS, isBlockRange } from '../../../bindings/binding-arguments.js';
import type { AppInstance, BoundSession, Breach, VersionBlock } from '../../../bindings/binding.types.js';
import { ASSURANCE_LEVELS } from '../../../trust/assurance.js';
import { integer, name, names, nullable, record, sortable, text, word, type Codec } from './values.js';

/** How each member of an instance is written. */
const INSTANCE = {
  id: name(43),
  revision: integer,
  status: word(['active', 'suspended', 'revoked']),
  statusAt: integer,
  suspendedBy: names(64),
  statusReason: nullable(text(200)),
  format: name(64),
  createdAt: integer,
  appId: name(128),
  appVersion: text(255),
  platform: text(32),
  algorithm: word(['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256']),
  publicKey: record<AppInstance['publicKey']>(),
  assurance: word(ASSURANCE_LEVELS),
  attestedAt: integer,
  attestationExpiresAt: integer,
  attestationClaims: record<AppInstance['attestationClaims']>(),
} satisfies { [K in keyof AppInstance]: Codec<AppInstance[K]> };

/** The lines 1 to 8 of a row, which scripts look at or change. The ninth is a JSON list of what each other member is written as. */
const INSTANCE_LINES = [
  'revision',
  'status',
  'statusAt',
  'suspendedBy',
  'statusReason',
  'format',
  'createdAt',
  'appId',
] as const;
const INSTANCE_REST = [
  'appVersion',
  'platform',
  'algorithm',
  'publicKey',
  'assurance',
  'attestedAt',
  'attestationExpiresAt',
  'attestationClaims',
] as const;

const SESSION = {
  id: name(64),
  instanceId: name(43),
  subject: text(255),
  credentialHash: nullable(name(43)),
  previousCredentialHash: nullable(name(43)),
  previousValidUntil: nullable(integer),
  createdAt: integer,
  expiresAt: integer,
  endedAt: nullable(integer),
  endReason: nullable(text(200)),
} satisfies { [K in keyof BoundSession]: Codec<BoundSession[K]> };

/** The lines 1 to 9 of a row. The tenth is what the index by subject has of the session. */
const SESSION_LINES = [
  'instanceId',
  'createdAt',
  'expiresAt',
  'credentialHash',
  'previousCredentialHash',
  'previousValidUntil',
  'endedAt',
  'endReason',
  'subject',
] as const;

type Shape<T> = { readonly [K in keyof T]: Codec<T[K]> };

function encodeLines<T extends object>(shape: Shape<T>, properties: readonly (keyof T & string)[], value: T): string[] {
  return properties.map((property) => guarded(property, () => shape[property].encode(value[property])));
}

function decodeLines<T extends object>(
  shape: Shape<T>,
  properties: readonly (keyof T & string)[],
  lines: readonly unknown[],
): Partial<T> {
  if (lines.length !== properties.length) throw new RangeError('a row has too few lines, or too many');
  const entries = properties.map((property, index) => {
    const line = lines[index];
    if (typeof line !== 'string') throw new RangeError(`${property}: not a text`);
    return [property, guarded(property, () => shape[property].decode(line))];
  });
  return Object.fromEntries(entries) as Partial<T>;
}

/** The row of an instance, without its id. @throws RangeError when a member does not fit */
export function encodeInstance(instance: AppInstance): string {
  guarded('id', () => INSTANCE.id.encode(instance.id));
  const rest = JSON.stringify(encodeLines<AppInstance>(INSTANCE, INSTANCE_REST, instance));
  return [...encodeLines<AppInstance>(INSTANCE, INSTANCE_LINES, instance), rest].join('\n');
}

/** Reads a row. @throws when it is not as `encodeInstance` writes it */
export function decodeInstance(id: string, row: string): AppInstance {
  const lines = row.split('\n');
  const rest: unknown = JSON.parse(lines.pop() ?? '');
  if (!Array.isArray(rest)) throw new RangeError('the rest of an instance is not a list');
  return {
    id: INSTANCE.id.decode(id),
    ...decodeLines<AppInstance>(INSTANCE, INSTANCE_LINES, lines),
    ...decodeLines<AppInstance>(INSTANCE, INSTANCE_REST, rest),
  } as AppInstance;
}

/** The row of a session, without its id. @throws RangeError when a member does not fit */
export function encodeSession(session: BoundSession): string {
  guarded('id', () => SESSION.id.encode(session.id));
  const index = `${subjectHash(session.subject)} ${sortable(session.createdAt)}`;
  return [...encodeLines<BoundSession>(SESSION, SESSION_LINES, session), index].join('\n');
}

/** Reads a row. @throws when it is not as `encodeSession` writes it */
export function decodeSession(id: string, row: string): BoundSession {
  const lines = row.split('\n').slice(0, -1);
  return { id: SESSION.id.decode(id), ...decodeLines<BoundSession>(SESSION, SESSION_LINES, lines) } as BoundSession;
}

/** By what the index knows a subject: of one size, and the same only for the same text. */
export function subjectHash(subject: string): string {
  return createHash('sha256').update(subject, 'utf16le').digest('base64url');
}

/** A reason as it is kept, at most 200 characters. A revocation must not fail for being explained at length. */
export function encodeReason(reason: string): string {
  return SESSION.endReason.encode(reason.slice(0, 200));
}

/** What is kept of a breach beside its instance. */
export function encodeBreach(breach: Breach): string {
  return JSON.stringify(breach);
}

/** Reads what is kept of a breach. @throws when it is not as it was written */
export function decodeBreach(kept: string): Breach {
  const value = JSON.parse(kept.slice(kept.indexOf('\0') + 1)) as Breach;
  word(BREACH_ACTIONS).decode(value.action);
  integer.encode(value.at);
  const texts = [value.id, value.instanceId, value.code, value.detail, ...value.threats, value.sessionId ?? ''];
  if (texts.some((each) => typeof each !== 'string')) throw new RangeError('a breach is not as it was written');
  return value;
}

/** What is kept of a block beside its app and range. */
export function encodeNote({ reason, at }: VersionBlock): string {
  return JSON.stringify([reason, integer.encode(at)]);
}

/** Reads a block. @throws when it is not as it was written */
export function decodeBlock(block: string, note: string): VersionBlock {
  const [reason, at, ...more] = JSON.parse(note) as unknown[];
  const space = block.indexOf(' ');
  const [appId, range] = [INSTANCE.appId.decode(block.slice(0, space)), block.slice(space + 1)];
  if (typeof reason !== 'string' || typeof at !== 'string' || more.length > 0 || !isBlockRange(range))
    throw new RangeError('a block is not as it was written');
  return { appId, range, reason, at: integer.decode(at) };
}

function guarded<T>(property: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new RangeError(`${property}: ${error instanceof Error ? error.message : 'does not fit'}`, { cause: error });
  }
}
