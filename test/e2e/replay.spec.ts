import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type TestApp } from '../utils/http/app.js';
import { PLATFORMS } from '../utils/http/platforms.js';
import { OpenController } from './controllers.js';

const TOKENS = 10_000;
const IN_FLIGHT = 64;
const SEED = 20_300_115;

/** Uniform numbers in [0, 1) that are the same in every run (xorshift32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] as T, order[i] as T];
  }
  return order;
}

/** The outcome of one request over a kept connection. */
function outcomeOf(agent: Agent, port: number, token: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'TAB-Token': token };
    const sent = request({ host: '127.0.0.1', port, path: '/open', agent, headers }, (answer) => {
      answer.resume().once('end', () => {
        const code = answer.headers['tab-error'];
        resolve(answer.statusCode === 200 && code === undefined ? 'accepted' : `${answer.statusCode} ${String(code)}`);
      });
    });
    sent.once('error', reject);
    sent.end();
  });
}

/** Runs `work` for every item, so many at a time. */
async function inFlight<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

describe.each(PLATFORMS)(`${TOKENS} tokens sent twice on $name`, (platform) => {
  let app: TestApp;
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });

  beforeAll(async () => {
    app = await startApp(platform, { controllers: [OpenController] });
  });
  afterAll(async () => {
    agent.destroy();
    await app.stop();
  });

  it('are accepted once each', { timeout: 180_000 }, async () => {
    const devices = await Promise.all(Array.from({ length: 8 }, () => app.device().enrolled()));
    const tokens = Array.from({ length: TOKENS }, (_, i) => devices[i % devices.length]?.prepare().token ?? '');
    expect(new Set(tokens).size).toBe(TOKENS);
    const outcomes = new Map<string, string[]>();
    await inFlight(shuffled([...tokens, ...tokens], seeded(SEED)), async (token) => {
      const outcome = await outcomeOf(agent, app.port, token);
      outcomes.set(token, [...(outcomes.get(token) ?? []), outcome]);
    });
    const kinds = new Map<string, number>();
    for (const pair of outcomes.values()) {
      const kind = pair.sort().join(' + ');
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    expect(Object.fromEntries(kinds)).toEqual({ '401 replayed_token + accepted': TOKENS });
  });
});
