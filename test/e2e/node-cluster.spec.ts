import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectTo, engine, type TestDatabase } from '../contract/engines.js';
import { aProofKey, macToken } from '../utils/core/proof-key.js';
import { Device, type Prepared } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { exchange } from '../utils/http/wire.js';
import { serviceAvailable } from '../utils/services.js';
import { buildLibrary, ORIGIN, SECRET, startNode, type Build, type ClusterNode } from './cluster.harness.js';
import { SQLITE_PACKAGE } from '../../sample/bank/database/sqlite-driver.js';

/*
 * Two workers of node:cluster take turns with connections, and every request here has a connection of its own: nothing is
 * sticky, so what one worker gave out or has seen the other has to know.
 */

const TOKENS = 200;
/** How often each token is sent, at once. */
const COPIES = 4;

/** The same request with its token under a proof key of the instance. */
function underProofKey(device: Device, { token, wire }: Prepared): Prepared {
  const { kid, key } = aProofKey({ secret: SECRET, instanceId: device.id, exp: device.now + 300, origin: ORIGIN });
  const [header = {}, claims = {}] = token
    .split('.', 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
  const text = macToken(key, { ...header, alg: 'HS256', kid }, claims);
  const headers = wire.headers.map(([name, value]) => [name, name === 'TAB-Token' ? text : value] as const);
  return { token: text, wire: { ...wire, headers } };
}

const hasPostgres = await serviceAvailable('postgres');

describe.each([
  ['SQLite file', 'express', false],
  ['PostgreSQL', 'fastify', !hasPostgres],
] as const)('two workers of node:cluster on %s and %s', (name, adapter, isAbsent) => {
  let database: TestDatabase | undefined;
  let build: Build | undefined;
  let node: ClusterNode | undefined;

  beforeAll(async () => {
    if (isAbsent) return;
    build = await buildLibrary();
    database = await engine(name).create();
    await (await connectTo(database)).destroy();
    const { entities: _entities, migrations: _migrations, ...connection } = database.options;
    const driver = connection.type === 'better-sqlite3' ? SQLITE_PACKAGE : undefined;
    node = await startNode(build, adapter, { ...connection, driver }, 'cluster');
  }, 120_000);

  afterAll(async () => {
    await node?.stop();
    build?.remove();
    await database?.drop();
  });

  const enrolled = () => new Device({ port: node?.port ?? 0, origin: ORIGIN, clock: Date.now }).enrolled();

  /** Sends copies of one request at once: how many were accepted, what the others were told, and who answered. */
  async function copies({ wire }: Prepared): Promise<{ accepted: number; refused: Set<string>; pids: unknown[] }> {
    const answers = await Promise.all(Array.from({ length: COPIES }, () => exchange(node?.port ?? 0, wire)));
    const good = answers.filter(({ status }) => status === 200);
    const codes = answers.map((answer) => answer.header('tab-error')).filter((code) => code !== undefined);
    return { accepted: good.length, refused: new Set(codes), pids: good.map((answer) => answer.json()['pid']) };
  }

  it.skipIf(isAbsent).each([
    ['signed', (_device: Device, prepared: Prepared) => prepared],
    ['under a proof key', underProofKey],
  ])(`${TOKENS} tokens, %s: each accepted once, by both workers in turn`, { timeout: 120_000 }, async (_how, make) => {
    const device = await enrolled();
    const pids = new Set<unknown>();
    for (let i = 0; i < TOKENS; i += 1) {
      const outcome = await copies(make(device, device.prepare()));
      expect([outcome.accepted, [...outcome.refused]]).toEqual([1, ['replayed_token']]);
      pids.add(outcome.pids[0]);
    }
    expect(pids.size).toBe(2);
  });

  it.skipIf(isAbsent)('what one worker revokes is revoked for the other from the next request on', async () => {
    const device = await enrolled();
    for (let i = 0; i < 4; i += 1) expectAccepted(await device.send());
    await node?.end('revoke', device.id);
    for (let i = 0; i < 4; i += 1) {
      expectRefusal(await device.send(), 'instance_revoked');
      expectRefusal(await device.replay(underProofKey(device, device.prepare())), 'instance_revoked');
    }
  });
});
