import { TabSessions } from 'nestjs-tab';
import { createBankApp } from '../bank-app.js';
import { readConfig } from '../config.js';
import { findFreePort } from '../free-port.js';
import { ATTEMPTS, type Attempt } from './attempts.js';
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
  const port = await findFreePort();
  const app = await createBankApp(readConfig({}, port), { logger: ['error', 'fatal'] });
  try {
    await app.listen(port, '127.0.0.1');
    const scene = await setScene(`http://127.0.0.1:${port}`, (id) =>
      app.get(TabSessions).revoke(id, 'reported stolen'),
    );
    const rows: DemoRow[] = [];
    for (const attempt of attempts) rows.push(await tryOut(attempt, scene));
    await clearScene(scene);
    return rows;
  } finally {
    await app.close();
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
