import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeService } from '../utils/services.js';
import { buildLibrary, type Build } from './cluster.harness.js';

/** What `bench/soak/run.mjs --json` prints of one engine. */
interface SoakResult {
  readonly figures: Readonly<Record<string, number | string>>;
  readonly violations: readonly string[];
  readonly doubts: readonly string[];
}

interface SoakRun {
  readonly code: number;
  readonly result: SoakResult | undefined;
  /** What the run told, for whoever looks into a failure. */
  readonly story: string;
}

/** Milliseconds that a run may take; it gives up by itself when it is stuck. */
const PATIENCE = 240_000;
const TOKENS = 50_000;
/** The small form: a fast clock and early kills, so that half a minute sees what the full one does. */
const SMALL = ['--tokens', String(TOKENS), '--http', '2500', '--kill', '6', '--longest', '8', '--speed', '10'];
const SABOTAGED = ['--http', '100', '--kill', '8', '--longest', '3', '--speed', '8'];

let build: Build | undefined;

beforeAll(async () => {
  build = await buildLibrary();
}, 120_000);

afterAll(() => build?.remove());

function soak(...args: string[]): Promise<SoakRun> {
  const all = ['bench/soak/run.mjs', '--json', '--library', build?.url ?? '', '--seed', '20', ...args];
  return new Promise((resolve) => {
    const options = { timeout: PATIENCE, maxBuffer: 2 ** 26 };
    const child = execFile(process.execPath, all, options, (_error, stdout, story) => {
      const results = stdout.trim() === '' ? [] : (JSON.parse(stdout) as SoakResult[]);
      resolve({ code: child.exitCode ?? -1, result: results[0], story });
    });
  });
}

describe('exactness under attack', () => {
  it('an engine or a number that cannot be is refused', async () => {
    expect(await soak('--engine', 'sqlite')).toMatchObject({ code: 1, story: expect.stringContaining('--engine') });
    expect(await soak('--tokens', '1e99')).toMatchObject({ code: 1, story: expect.stringContaining('--tokens') });
  });
});

await describeService('postgres', 'four processes that are killed, on one PostgreSQL database', () => {
  it(`accept each of ${TOKENS} tokens once, while partitions come and go`, { timeout: PATIENCE }, async () => {
    const { code, result, story } = await soak('--engine', 'postgres', ...SMALL);
    expect(result, story).toMatchObject({ violations: [], doubts: [] });
    expect(result?.figures).toMatchObject({ tokens: TOKENS, 'double acceptances': 0, 'false replays': 0 });
    expect(result?.figures['kills']).toBeGreaterThan(0);
    expect(result?.figures['partitions dropped']).toBeGreaterThan(0);
    expect(code).toBe(0);
  });

  it.each([
    ['find-then-save', 1000, 'double acceptances'],
    ['hasty-sweep', 4000, 'double acceptances'],
  ])('a store that does %s is found out', { timeout: PATIENCE }, (sabotage, tokens, finding) =>
    isFoundOut('postgres', sabotage, tokens, finding),
  );
});

await describeService('redis', 'four processes that are killed, on one Redis', () => {
  it(`accept each of ${TOKENS} tokens once`, { timeout: PATIENCE }, async () => {
    const { code, result, story } = await soak('--engine', 'redis', ...SMALL);
    expect(result, story).toMatchObject({ violations: [], doubts: [] });
    expect(result?.figures).toMatchObject({ tokens: TOKENS, 'double acceptances': 0, 'false replays': 0 });
    expect(result?.figures['kills']).toBeGreaterThan(0);
    expect(code).toBe(0);
  });

  it.each([
    ['memory', 1000, 'double acceptances'],
    ['retry', 3000, 'false replays'],
  ])('a store that does %s is found out', { timeout: PATIENCE }, (sabotage, tokens, finding) =>
    isFoundOut('redis', sabotage, tokens, finding),
  );
});

async function isFoundOut(engine: string, sabotage: string, tokens: number, finding: string): Promise<void> {
  const wrong = ['--engine', engine, '--sabotage', sabotage, '--tokens', String(tokens)];
  const { code, result, story } = await soak(...wrong, ...SABOTAGED);
  expect(result?.figures[finding], story).toBeGreaterThan(0);
  expect(result?.violations).toHaveLength(1);
  expect(code).toBe(0);
}
