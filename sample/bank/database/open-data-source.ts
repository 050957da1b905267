import { setTimeout as pause } from 'node:timers/promises';
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
    }
    await pause(PAUSE + Math.random() * PAUSE * attempt);
  }
}
