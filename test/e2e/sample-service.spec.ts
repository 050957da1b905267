import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataSource } from 'typeorm';
import { dataSourceOptions } from '../../sample/bank/database/database-settings.js';
import { Account, Transfer } from '../../sample/bank/database/entities.js';
import { TransfersService } from '../../sample/bank/transfers/transfers.service.js';
import { ENGINES, type Engine, type TestDatabase } from '../contract/engines.js';
import { describeService } from '../utils/services.js';
import { BankClient, settingsOf, startBank, told, type RunningBank } from './sample.harness.js';

/** SQLite processes each block while they wait for another, so here, inside one process, there is only one of them. */
const processesOf = (engine: Engine): number => (engine.service === undefined ? 1 : 3);

const shared = {
  tabSecrets: ['a secret that all processes share, 32 octets or more'],
  jwtSecret: new TextEncoder().encode('another secret that all processes share, for tokens'),
};

const count = (answers: readonly string[]): Record<string, number> =>
  answers.reduce<Record<string, number>>((counts, answer) => ({ ...counts, [answer]: (counts[answer] ?? 0) + 1 }), {});

function bankOn(engine: Engine): void {
  let database: TestDatabase;
  let banks: RunningBank[];
  let dataSource: DataSource;
  let alice: BankClient;
  let bob: BankClient;

  beforeAll(async () => {
    database = await engine.create();
    const settings = settingsOf(database.options);
    // All at once, on a database without any table.
    banks = await Promise.all(
      Array.from({ length: processesOf(engine) }, () => startBank({ ...shared, database: settings })),
    );
    dataSource = (banks[0] as RunningBank).app.get(DataSource);
    [alice, bob] = [new BankClient(banks), new BankClient(banks)];
    await alice.logIn('alice');
    await bob.logIn('bob');
  });
  afterAll(async () => {
    for (const { app } of banks ?? []) await app.close();
    await database?.drop();
  });

  const setBalance = (id: string, balance: number) => dataSource.manager.update(Account, { id }, { balance });
  const transfer = async (client: BankClient, from: string, to: string, amount: number): Promise<string> =>
    told(await client.send('POST', '/transfers', { from, to, amount }));

  it('has its users and accounts once', async () => {
    const owners = (await dataSource.manager.find(Account, { order: { id: 'ASC' } })).map(({ owner }) => owner);
    expect(owners).toEqual(['alice', 'alice', 'bob']);
  });

  it('does not spend money twice', async () => {
    await setBalance('alice-current', 1_000);
    await setBalance('bob-current', 0);
    const transfersBefore = await dataSource.manager.count(Transfer);
    const answers = await Promise.all(
      Array.from({ length: 25 }, () => transfer(alice, 'alice-current', 'bob-current', 100)),
    );
    expect(count(answers)).toEqual({ '201': 10, '422': 15 });
    expect((await alice.balances())['alice-current']).toBe(0);
    expect(await bob.balances()).toEqual({ 'bob-current': 1_000 });
    expect(await dataSource.manager.count(Transfer)).toBe(transfersBefore + 10);
  });

  it('keeps a transfer that fails apart from those beside it', async () => {
    await setBalance('alice-current', 1_000);
    await setBalance('alice-savings', 1_000);
    await setBalance('bob-current', 0);
    const services = banks.map(({ app }) => app.get(TransfersService, { strict: false }));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, (_, index) => {
        // The latter is credited before it turns out that it can't be paid for.
        const good = { from: 'alice-current', to: 'bob-current', amount: 10 };
        const bad = { from: 'alice-savings', to: 'alice-current', amount: 5_000 };
        const service = services[index % services.length] as TransfersService;
        return service.transfer('alice', index % 2 === 0 ? good : bad);
      }),
    );
    expect(count(outcomes.map(({ status }) => status))).toEqual({ fulfilled: 15, rejected: 15 });
    expect(await alice.balances()).toEqual({ 'alice-current': 850, 'alice-savings': 1_000 });
    expect(await bob.balances()).toEqual({ 'bob-current': 150 });
  });

  it('carries out opposite transfers at the same time', async () => {
    await setBalance('alice-current', 10_000);
    await setBalance('bob-current', 10_000);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        index % 2 === 0
          ? transfer(alice, 'alice-current', 'bob-current', 50)
          : transfer(bob, 'bob-current', 'alice-current', 70),
      ),
    );
    expect(count(answers)).toEqual({ '201': 20 });
    expect((await alice.balances())['alice-current']).toBe(10_200);
    expect(await bob.balances()).toEqual({ 'bob-current': 9_800 });
  });

  it('takes each token once, whichever process it goes to', async () => {
    await setBalance('alice-current', 1_000);
    expect(await transfer(alice, 'alice-current', 'bob-current', 1)).toBe('201');
    const transfers = await Promise.all(Array.from({ length: 6 }, async () => told(await alice.repeat())));
    // The challenge is spent with the token.
    expect(count(transfers)).toEqual({ '401 use_tab_nonce': 6 });
    expect((await alice.balances())['alice-current']).toBe(999);
    const reads = await Promise.all(Array.from({ length: 6 }, async () => told(await alice.repeat())));
    expect(count(reads)).toEqual({ '401 replayed_token': 6 });
  });

  it('forgets a session in all processes at once', async () => {
    const client = new BankClient(banks);
    await client.logIn('alice');
    const request = { method: 'GET', url: 'http://localhost:3000/accounts', credential: client.accessToken };
    const tokens = await Promise.all(banks.map(() => client.defender.token(request)));
    expect(told(await client.send('DELETE', '/auth/session'))).toBe('204');
    const answers = await Promise.all(
      banks.map(async ({ url }, index) => {
        const headers = { Authorization: `Bearer ${client.accessToken}`, 'TAB-Token': tokens[index] ?? '' };
        return told(await fetch(`${url}/accounts`, { headers }));
      }),
    );
    expect(answers).toEqual(banks.map(() => '401 invalid_session'));
  });

  it('finds its tables as they are when it starts again, or starts afresh in memory', async () => {
    const isMemory = dataSource.options.database === ':memory:';
    const before = await alice.balances();
    const again = await startBank({ ...shared, database: settingsOf(database.options) });
    const client = new BankClient([again], { keyStore: alice.keyStore });
    client.accessToken = alice.accessToken;
    const response = await client.send('GET', '/accounts');
    expect(told(response)).toBe(isMemory ? '401 unknown_instance' : '200');
    expect(isMemory ? before : await client.balances()).toEqual(before);
    await again.app.close();
  });

  it('has a schema in which nothing is missing', async () => {
    const sql = await dataSource.driver.createSchemaBuilder().log();
    const bankTables = sql.upQueries.filter(({ query }) => /bank_/.test(query) && !/collat|charset/i.test(query));
    expect(dataSourceOptions(settingsOf(database.options)).synchronize).toBe(false);
    expect(bankTables.map(({ query }) => query)).toEqual([]);
  });
}

for (const engine of ENGINES) {
  const title = `the bank on ${engine.name}, ${processesOf(engine)} process(es)`;
  if (engine.service === undefined) describe(title, () => bankOn(engine));
  else await describeService(engine.service, title, () => bankOn(engine));
}
