import { randomBytes } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { TabConfigError } from '../../../errors/tab-error.js';
import type { Volatility } from '../../../nonces/nonce-store.js';
import type { TabDatabase } from './database.types.js';
import { DIALECTS, isSupportedDriver } from './dialects.js';
import { ServerDatabase } from './server-database.js';
import { SqliteDatabase } from './sqlite-database.js';
import { SqliteGate } from './sqlite-gate.js';

const lives = new WeakMap<object, Volatility>();

/**
 * The database behind an initialised data source.
 *
 * @param clock milliseconds since the epoch
 * @throws TabConfigError when the data source is not initialised or its driver is not supported
 */
export function openDatabase(dataSource: DataSource, clock: () => number): TabDatabase {
  const { type } = dataSource.options;
  if (!isSupportedDriver(type)) {
    throw new TabConfigError(`typeOrmStores supports the drivers ${Object.keys(DIALECTS).join(', ')}, not ${type}`);
  }
  if (!dataSource.isInitialized)
    throw new TabConfigError('call initialize() of the DataSource before it is given to typeOrmStores');
  // A schema that is dropped at every start is forgotten at every start, whatever the engine.
  const dropped = dataSource.options.dropSchema ? lifeOf(dataSource, clock) : undefined;
  if (type !== 'better-sqlite3') return new ServerDatabase(dataSource, DIALECTS[type], dropped);
  return new SqliteDatabase(SqliteGate.of(dataSource), DIALECTS[type], (handle) =>
    handle.memory ? lifeOf(handle, clock) : dropped,
  );
}

/** The life of something that forgets: it begins, to be on the safe side, when it is first asked for. */
function lifeOf(owner: object, clock: () => number): Volatility {
  let life = lives.get(owner);
  if (!life) {
    life = Object.freeze({ epoch: randomBytes(16).toString('base64url'), startedAt: Math.floor(clock() / 1000) });
    lives.set(owner, life);
  }
  return life;
}
