import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { OpenStore } from '../../lib/testing/contract/index.js';
import { bindingStoreContract, nonceStoreContract } from '../../lib/testing/contract/index.js';
import type { TabStores } from '../../lib/stores/stores.types.js';
import { describeService } from '../utils/services.js';
import { connectTo, empty, storesOf, type Engine, type TestDatabase } from './engines.js';

/** Runs both contract suites on an engine. */
export async function runContracts(engine: Engine): Promise<void> {
  const body = (): void => {
    let database: TestDatabase;
    beforeAll(async () => {
      database = await engine.create();
    });
    afterAll(() => database.drop());

    const open = <K extends keyof TabStores>(kind: K) => openStore(() => database, kind);
    describe('NonceStore', () => {
      for (const { name, run } of nonceStoreContract(open('nonces'))) it(name, run);
    });
    describe('BindingStore', () => {
      for (const { name, run } of bindingStoreContract(open('bindings'))) it(name, run);
    });
  };
  if (engine.service) await describeService(engine.service, engine.name, body);
  else describe(engine.name, body);
}

function openStore<K extends keyof TabStores>(database: () => TestDatabase, kind: K) {
  return async (): Promise<OpenStore<TabStores[K]>> => {
    const sources: DataSource[] = [];
    const connected = async (): Promise<TabStores[K]> => {
      const source = await connectTo(database());
      if (sources.push(source) === 1) await empty(source);
      return (await storesOf(source))[kind];
    };
    const closeAll = async (): Promise<void> => {
      for (const source of sources) if (source.isInitialized) await source.destroy();
    };
    return { store: await connected(), reopen: connected, down: closeAll, close: closeAll };
  };
}
