import {
  boundedFilter,
  inBlockOrder,
  isAppId,
  isBlockRange,
  storableBlock,
  storableBreach,
  tooManyBlocks,
} from '../../../bindings/binding-arguments.js';
import { BindingStore, MAX_BLOCKED_RANGES } from '../../../bindings/binding-store.js';
import type {
  AppInstance,
  Bindings,
  BindingQuery,
  BindingSweep,
  BindOutcome,
  BoundSession,
  Breach,
  BreachFilter,
  Ending,
  InstanceFilter,
  Rebinding,
  RebindOutcome,
  VersionBlock,
} from '../../../bindings/binding.types.js';
import type { RedisSend } from '../client/redis-client.js';
import { redisFailed } from '../client/redis-error.js';
import { runScript } from '../client/redis-script.js';
import { bindingKey } from './binding-keys.js';
import type { BindingScript } from './binding-script.js';
import { FIND_INSTANCES, LOAD, REVOKE, SAVE, SUSPEND, SWEEP_INSTANCES } from './instance-scripts.js';
import * as records from './record-scripts.js';
import { count, flag, oneOf, pairs, readBindings, reading, texts } from './replies.js';
import * as rows from './rows.js';
import { BIND, END_SESSION, END_SESSIONS, FIND_SESSIONS, REBIND, SWEEP_SESSIONS } from './session-scripts.js';
import { integer, name, sortable } from './values.js';

const MAX_LISTED = 1000;
const DEFAULT_LISTED = 100;
const MAX_BLOCKS = 10_000;
const STATUSES = ['active', 'suspended', 'revoked'] as const;
const THREAT = name(64);
const BIND_REPLIES = ['bound', 'instance_inactive', 'credential_taken', 'exists'] as const;
const REBIND_REPLIES = ['rebound', 'session_inactive', 'credential_taken'] as const;
const BLOCK_REPLIES = ['blocked', 'full'] as const;

/**
 * Instances, sessions, breaches and version blocks in Redis. Every method is one script, which runs as one step on the
 * primary. What Redis forgets is forgotten: after a loss of its last writes, a revocation among them is undone.
 */
export class RedisBindingStore extends BindingStore {
  constructor(
    private readonly send: RedisSend,
    private readonly prefix: string,
  ) {
    super();
  }

  override async load({ instanceId, sessionId, credentialHash }: BindingQuery): Promise<Bindings> {
    const way = sessionId !== undefined ? 'id' : credentialHash !== undefined ? 'hash' : 'none';
    const reply = await this.run(LOAD, instanceId, way, sessionId ?? credentialHash ?? '');
    return reading(() => readBindings(reply, instanceId));
  }

  override async saveInstance(instance: AppInstance, expectedRevision?: number): Promise<boolean> {
    const statusReason = instance.statusReason?.slice(0, 200) ?? null;
    const row = rows.encodeInstance({ ...instance, statusReason, revision: (expectedRevision ?? 0) + 1 });
    const expected = expectedRevision === undefined ? '' : integer.encode(expectedRevision);
    const reply = await this.run(SAVE, instance.id, expected, row);
    return reading(() => flag(reply));
  }

  override async bind(session: BoundSession): Promise<BindOutcome> {
    const reply = await this.run(BIND, session.id, rows.encodeSession(session));
    const outcome = reading(() => oneOf(reply, BIND_REPLIES));
    if (outcome === 'exists') throw redisFailed('a session of this id exists');
    return outcome;
  }

  override async rebind(change: Rebinding): Promise<RebindOutcome> {
    const { sessionId, instanceId, credentialHash, previousValidUntil, now } = change;
    const times = [integer.encode(previousValidUntil), integer.encode(now)];
    const reply = await this.run(REBIND, sessionId, instanceId, name(43).encode(credentialHash), ...times);
    return reading(() => oneOf(reply, REBIND_REPLIES));
  }

  override async suspend(instanceId: string, ending: Ending, threats: readonly string[]): Promise<boolean> {
    const names = threats.map((threat) => THREAT.encode(threat));
    const reply = await this.run(SUSPEND, instanceId, ...endingOf(ending), ...names);
    return reading(() => flag(reply));
  }

  override async revoke(instanceId: string, ending: Ending): Promise<boolean> {
    const reply = await this.run(REVOKE, instanceId, ...endingOf(ending));
    return reading(() => flag(reply));
  }

  override async endSession(sessionId: string, ending: Ending): Promise<boolean> {
    const reply = await this.run(END_SESSION, sessionId, ...endingOf(ending));
    return reading(() => flag(reply));
  }

  override async endSessions(subject: string, ending: Ending): Promise<number> {
    const reply = await this.run(END_SESSIONS, rows.subjectHash(subject), ...endingOf(ending));
    return reading(() => count(reply));
  }

  override async findInstances({ appId, status, after = '', limit }: InstanceFilter): Promise<AppInstance[]> {
    if (appId !== undefined && !isAppId(appId)) return [];
    const most = Math.min(Math.max(Math.trunc(limit ?? DEFAULT_LISTED), 1), MAX_LISTED);
    const statuses = STATUSES.filter((one) => status === undefined || one === status);
    const reply = await this.run(FIND_INSTANCES, after, String(most), appId ?? '*', ...statuses);
    return reading(() => pairs(reply).map(([id, row]) => rows.decodeInstance(id, row)));
  }

  override async findSessions(subject: string): Promise<BoundSession[]> {
    const reply = await this.run(FIND_SESSIONS, rows.subjectHash(subject), String(MAX_LISTED));
    return reading(() => pairs(reply).map(([id, row]) => rows.decodeSession(id, row)));
  }

  override async recordBreach(breach: Breach): Promise<void> {
    const kept = storableBreach(breach);
    const args = [kept.id, kept.instanceId, sortable(kept.at), rows.encodeBreach(kept)];
    const reply = await this.run(records.RECORD_BREACH, ...args);
    reading(() => flag(reply));
  }

  override async findBreaches(filter: BreachFilter): Promise<Breach[]> {
    const { instanceId, since, limit } = boundedFilter(filter);
    // No instance id holds a NUL, so that those of one instance are all that begin so.
    if (instanceId?.includes('\0')) return [];
    const prefix = instanceId === undefined ? '' : `${instanceId}\0`;
    const upper = instanceId === undefined ? '+' : `(${instanceId}\u0001`;
    const lower = `[${prefix}${since === undefined ? '' : sortable(since)}`;
    const script = instanceId === undefined ? records.FIND_BREACHES : records.FIND_BREACHES_OF;
    const reply = await this.run(script, upper, lower, String(limit));
    return reading(() => texts(reply).map(rows.decodeBreach));
  }

  override async blockVersions(block: VersionBlock): Promise<void> {
    const kept = storableBlock(block);
    const args = [kept.appId, kept.range, rows.encodeNote(kept), String(MAX_BLOCKED_RANGES)];
    const reply = await this.run(records.BLOCK, ...args);
    if (reading(() => oneOf(reply, BLOCK_REPLIES)) === 'full') throw tooManyBlocks();
  }

  override async unblockVersions(appId: string, range: string): Promise<boolean> {
    if (!isAppId(appId) || !isBlockRange(range)) return false;
    const reply = await this.run(records.UNBLOCK, appId, range);
    return reading(() => flag(reply));
  }

  override async findBlocks(appId?: string): Promise<VersionBlock[]> {
    if (appId !== undefined && !isAppId(appId)) return [];
    const bounds = appId === undefined ? ['-', '+'] : [`[${appId} `, `(${appId}!`];
    const reply = await this.run(records.FIND_BLOCKS, ...bounds, String(MAX_BLOCKS));
    return reading(() => pairs(reply).map(([block, note]) => rows.decodeBlock(block, note))).sort(inBlockOrder);
  }

  override async sweep({ sessionsBefore, unattestedBefore, breachesBefore, limit }: BindingSweep): Promise<number> {
    const most = integer.encode(Math.max(limit, 0));
    const sessions = await this.run(SWEEP_SESSIONS, integer.encode(sessionsBefore), most);
    const breaches = await this.run(records.SWEEP_BREACHES, `(${sortable(breachesBefore)}`, most);
    const instances = await this.run(SWEEP_INSTANCES, integer.encode(unattestedBefore), most);
    return reading(() => count(sessions) + count(breaches) + count(instances));
  }

  private run(script: BindingScript, ...args: string[]): Promise<unknown> {
    return runScript(this.send, script.script, this.keysOf(script), args);
  }

  private keysOf(script: BindingScript): readonly [string, ...string[]] {
    const [first, ...others] = script.keys;
    return [bindingKey(this.prefix, first), ...others.map((key) => bindingKey(this.prefix, key))];
  }
}

function endingOf({ reason, at }: Ending): [at: string, reason: string] {
  return [integer.encode(at), rows.encodeReason(reason)];
}
