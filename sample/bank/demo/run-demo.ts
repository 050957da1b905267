import type { Attempt } from './attempt.js';
import { ATTEMPTS } from './attempts.js';
import { openBank } from './demo-bank.js';
import { clearScene, setScene, type Scene } from './scene.js';

/** One line of the outcome. */
export interface DemoRow {
  readonly what: string;
  readonly expected: string;
  readonly answered: string;
  readonly passed: boolean;
}

/** Starts a bank of its own, in memory and on a free port, tries everything over HTTP, and ends the bank. */
export async function runDemo(attempts: readonly Attempt[] = ATTEMPTS): Promise<DemoRow[]> {
  const bank = await openBank();
  try {
    const scene = await setScene(bank);
    const rows: DemoRow[] = [];
    for (const attempt of attempts) rows.push(await tryOut(attempt, scene));
    await clearScene(scene);
    return rows;
  } finally {
    await bank.close();
  }
}

async function tryOut({ what, expected, run }: Attempt, scene: Scene): Promise<DemoRow> {
  const answered = await run(scene).catch(
    (error: unknown) => `error: ${error instanceof Error ? error.message : String(error)}`,
  );
  return { what, expected, answered, passed: answered === expected };
}

/** The rows as a table, and the count of passed and failed ones as the last line. */
export function formatDemo(rows: readonly DemoRow[]): string {
  const lines = [
    ['what was tried', 'expected', 'answered', ''],
    ...rows.map((row) => [row.what, row.expected, row.answered, row.passed ? 'ok' : 'FAILED']),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const table = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const passed = rows.filter((row) => row.passed).length;
  return [...table, '', `${passed} passed, ${rows.length - passed} failed`].join('\n');
}
