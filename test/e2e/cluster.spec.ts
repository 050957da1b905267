import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectTo, engine, type TestDatabase } from '../contract/engines.js';
import { Device, type Call, type Prepared } from '../utils/http/client.js';
import { expectAccepted, expectRefusal } from '../utils/http/expectations.js';
import { describeService } from '../utils/services.js';
import { exchange } from '../utils/http/wire.js';
import { buildLibrary, ORIGIN, startNode, type Build, type ClusterNode } from './cluster.harness.js';

const TOKENS = 500;
/** Requests under way around suspensions and revocations, in all. */
const FLOOD = 10_000;
/** Tokens on their way at a time, each of them to all nodes. */
const AT_ONCE = 25;

await describeService('postgres', 'four nodes on one PostgreSQL database', () => {
  let database: TestDatabase | undefined;
  let build: Build | undefined;
  let nodes: ClusterNode[] = [];

  beforeAll(async () => {
    const built = (build = await buildLibrary());
    database = await engine('PostgreSQL').create();
    await (await connectTo(database)).destroy();
    const { entities: _entities, migrations: _migrations, ...connection } = database.options;
    const adapters = ['express', 'fastify', 'express', 'fastify'] as const;
    nodes = await Promise.all(adapters.map((adapter) => startNode(built, adapter, connection)));
  }, 120_000);

  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    build?.remove();
    await database?.drop();
  });

  /** The same client, as it is routed to one of the nodes. */
  function at(index: number, device?: Device): Device {
    const options = { port: nodes[index]?.port ?? 0, origin: ORIGIN, clock: Date.now, key: device?.key };
    const routed = new Device(options);
    routed.nonce = device?.nonce;
    return routed;
  }

  /** Sends one request to all nodes at once; the codes in alphabetical order. */
  async function everywhere({ wire }: Prepared): Promise<string> {
    const answers = await Promise.all(nodes.map(({ port }) => exchange(port, wire)));
    return answers
      .map((answer) => answer.header('tab-error') ?? `accepted ${answer.status}`)
      .sort()
      .join(', ');
  }

  /** Sends as many tokens as there are calls, and counts the outcomes. */
  async function outcomes(calls: readonly (() => Promise<string>)[]): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    const queue = calls[Symbol.iterator]();
    const worker = async () => {
      for (const call of queue) {
        const outcome = await call();
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return counts;
  }

  it(`accept each of ${TOKENS} tokens once, wherever it comes first`, { timeout: 120_000 }, async () => {
    const device = await at(0).enrolled();
    const calls = Array.from({ length: TOKENS }, () => () => everywhere(device.prepare()));
    expect(await outcomes(calls)).toEqual({ 'accepted 200, replayed_token, replayed_token, replayed_token': TOKENS });
  });

  it('accept each single-use challenge once', { timeout: 60_000 }, async () => {
    const device = await at(1).enrolled();
    const once: Call = { method: 'POST', target: '/open/once' };
    const call = async () => {
      const answer = await at(2, device).send({ ...once, claims: { nonce: undefined } });
      return everywhere(device.prepare({ ...once, claims: { nonce: answer.header('tab-nonce') } }));
    };
    const expected = { 'accepted 201, use_tab_nonce, use_tab_nonce, use_tab_nonce': 25 };
    expect(await outcomes(Array.from({ length: 25 }, () => call))).toEqual(expected);
  });

  it('accept each enrolment challenge once', async () => {
    const challenge = await at(3).challenge();
    const answers = await Promise.all(nodes.map((_node, index) => at(index).enrol({ challenge })));
    expect(answers.map((answer) => answer.header('tab-error') ?? String(answer.status)).sort()).toEqual([
      '201',
      'use_tab_nonce',
      'use_tab_nonce',
      'use_tab_nonce',
    ]);
  });

  it.each(['suspend', 'revoke'] as const)(
    `accept no request sent after %s returned, with ${FLOOD / 2} under way around that moment`,
    { timeout: 120_000 },
    async (act) => {
      const device = await at(0).enrolled();
      const before: Record<string, number> = {};
      const after: Record<string, number> = {};
      let sent = 0;
      let ended = false;
      const flood = async () => {
        for (let index = sent++; index < FLOOD / 2; index = sent++) {
          const counts = ended ? after : before;
          const answer = await exchange(nodes[index % nodes.length]?.port ?? 0, device.prepare().wire);
          const outcome = answer.header('tab-error') ?? `accepted ${answer.status}`;
          counts[outcome] = (counts[outcome] ?? 0) + 1;
          // In the middle of the flood, and by one node only.
          if (index === FLOOD / 5) await nodes[1]?.end(act, device.id).then(() => (ended = true));
        }
      };
      await Promise.all(Array.from({ length: 64 }, flood));
      const refused = act === 'suspend' ? 'instance_suspended' : 'instance_revoked';
      expect(Object.keys(after)).toEqual([refused]);
      expect(after[refused]).toBeGreaterThan(FLOOD / 10);
      expect(before['accepted 200']).toBeGreaterThan(FLOOD / 10);
      expect(Object.keys(before).filter((outcome) => outcome !== refused)).toEqual(['accepted 200']);
    },
  );

  it('see a retirement from the next request on', async () => {
    const device = await at(0).enrolled();
    for (const index of nodes.keys()) expectAccepted(await at(index, device).send());
    expect((await at(3, device).retire()).status).toBe(204);
    for (const index of nodes.keys()) expectRefusal(await at(index, device).send(), 'instance_revoked');
  });
});
