import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { DataSource, type DataSourceOptions } from 'typeorm';

const ATTEMPTS = 10;
/** Milliseconds; with each attempt the pause may be longer by as much. */
const PAUSE = 150;

/**
 * Opens the database and brings its schema up to date. Of several processes that do so at the same time, all but one
 * fail at the first table that the one has just created; they look again a little later, when its migrations are on
 * record.
 */
export async function openDataSource(options: DataSourceOptions | undefined): Promise<DataSource> {
  if (options === undefined) throw new TypeError('openDataSource needs options');
  for (let attempt = 1; ; attempt++) {
    try {
      return await new DataSource(options).initialize();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      new Logger('Database').warn(
        `The database is not ready (${codeOf(error)}); another process may be creating its tables. Trying again.`,
      );
    }
    await pause(PAUSE + Math.random() * PAUSE * attempt);
  }
}

/** What went wrong, by its code alone: messages of drivers hold values. */
function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return String(code ?? name);
}
