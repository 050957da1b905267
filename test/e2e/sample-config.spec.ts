import { describe, expect, it } from 'vitest';
import { BankConfigError, readConfig, readPort } from '../../sample/bank/config.js';
import { readDatabaseUrl } from '../../sample/bank/database/database-settings.js';

const SECRET = 'x'.repeat(32);

describe('the environment of the bank', () => {
  it('may be empty, which is told', () => {
    const config = readConfig({}, 3000);
    expect(config).toMatchObject({
      origins: ['http://localhost:3000', 'http://127.0.0.1:3000'],
      database: { type: 'better-sqlite3', file: ':memory:' },
      tabSecrets: 'random',
      mode: 'enforce',
    });
    for (const name of ['operatorKey', 'attesterJwks', 'testRoots', 'transmitter'] as const)
      expect(config[name]).toBeUndefined();
    expect(config.jwtSecret).toHaveLength(32);
    expect(config.jwtSecret).not.toEqual(readConfig({}, 3000).jwtSecret);
    for (const name of ['DATABASE_FILE', 'TAB_SECRETS', 'JWT_SECRET', 'OPERATOR_KEY'])
      expect(config.notes.join()).toContain(`${name} `);
  });

  it('may say everything, and then there is nothing to tell', () => {
    const config = readConfig(
      {
        ORIGINS: 'https://a.example, https://b.example',
        TAB_SECRETS: `${SECRET}1,${SECRET}2`,
        JWT_SECRET: SECRET,
        DATABASE_FILE: '/data/bank.sqlite',
        OPERATOR_KEY: SECRET,
        ATTESTER_JWKS: '{"keys":[{"kty":"EC"}]}',
        TAB_MODE: 'enforce',
      },
      3000,
    );
    expect(config).toMatchObject({
      origins: ['https://a.example', 'https://b.example'],
      database: { type: 'better-sqlite3', file: '/data/bank.sqlite' },
      tabSecrets: [`${SECRET}1`, `${SECRET}2`],
      jwtSecret: new TextEncoder().encode(SECRET),
      operatorKey: SECRET,
      attesterJwks: { keys: [{ kty: 'EC' }] },
      mode: 'enforce',
      notes: [],
    });
  });

  it('never has a secret in what is told', () => {
    const env = { JWT_SECRET: 'tooshort', TAB_SECRETS: SECRET, OPERATOR_KEY: SECRET };
    expect(readConfig(env, 3000).notes.join()).not.toMatch(/tooshort|xxx/);
  });

  it('refuses a short JWT_SECRET in production', () => {
    expect(() => readConfig({ JWT_SECRET: 'short', NODE_ENV: 'production' }, 3000)).toThrow(BankConfigError);
  });

  it.each(['short', 'x'.repeat(31), `${SECRET} with spaces`, `${SECRET}é`])(
    'refuses OPERATOR_KEY %j, unquoted',
    (key) => {
      expect(() => readConfig({ OPERATOR_KEY: key }, 3000)).toThrow(/^OPERATOR_KEY: (?!.*(short|xxx))/);
    },
  );

  it.each(['x', '{}', '[]', 'null', '{"keys":[]}', '{"keys":"private"}'])('refuses ATTESTER_JWKS %j', (jwks) => {
    expect(() => readConfig({ ATTESTER_JWKS: jwks }, 3000)).toThrow(BankConfigError);
    expect(() => readConfig({ ATTESTER_JWKS: jwks }, 3000)).toThrow(/^ATTESTER_JWKS: (?!.*private)/);
  });

  const certificate = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const testRoots = { android: certificate, ios: certificate };

  it('takes the roots of synthetic authorities, never in production', () => {
    const env = { ATTESTATION_TEST_ROOTS: JSON.stringify(testRoots) };
    expect(readConfig(env, 3000).testRoots).toEqual(testRoots);
    const inProduction = { ...env, NODE_ENV: 'production' };
    expect(() => readConfig(inProduction, 3000)).toThrow(/^ATTESTATION_TEST_ROOTS: (?!.*AAAA).*not for production/);
  });

  it.each(['x', '{}', 'null', '[]', certificate, JSON.stringify({ android: certificate }), '{"android":1,"ios":2}'])(
    'refuses ATTESTATION_TEST_ROOTS %j',
    (roots) => {
      const read = () => readConfig({ ATTESTATION_TEST_ROOTS: roots }, 3000);
      expect(read).toThrow(BankConfigError);
      expect(read).toThrow(/^ATTESTATION_TEST_ROOTS: (?!.*AAAA)/);
    },
  );

  it('says when it only watches, and refuses a mode that there is not', () => {
    const config = readConfig({ TAB_MODE: 'monitor' }, 3000);
    expect(config.mode).toBe('monitor');
    expect(config.notes.join()).toContain('TAB_MODE ');
    for (const mode of ['watch', 'off', 'Monitor']) {
      expect(() => readConfig({ TAB_MODE: mode }, 3000)).toThrow(BankConfigError);
    }
  });

  it.each<[string | undefined, number]>([
    [undefined, 3000],
    ['', 3000],
    ['0', 0],
    ['8080', 8080],
  ])('takes PORT %j for %i', (text, port) => expect(readPort(text)).toBe(port));

  it.each(['x', '-1', '65536', '1e3', '80.5'])('refuses PORT %j', (text) =>
    expect(() => readPort(text)).toThrow(BankConfigError),
  );

  it('prefers DATABASE_URL to DATABASE_FILE', () => {
    const { database } = readConfig({ DATABASE_URL: 'postgres://me@db/bank', DATABASE_FILE: 'x' }, 1);
    expect(database.type).toBe('postgres');
  });

  it('refuses a DATABASE_URL that it cannot use, without repeating it', () => {
    expect(() => readConfig({ DATABASE_URL: 'oracle://me:secret@db/bank' }, 1)).toThrow(/^(?!.*secret).*postgres:\/\//);
  });
});

describe('DATABASE_URL', () => {
  const server = { host: 'db', port: 5432, username: 'me', password: '', database: 'bank', ssl: false };
  it.each([
    ['postgres://me@db/bank', { ...server, type: 'postgres' }],
    ['postgresql://me:p%40ss@db:5433/bank', { ...server, type: 'postgres', port: 5433, password: 'p@ss' }],
    ['postgres://me@[::1]/bank', { ...server, type: 'postgres', host: '::1' }],
    ['postgres://me@db/bank?sslmode=require', { ...server, type: 'postgres', ssl: true }],
    ['postgres://me@db/bank?sslmode=disable', { ...server, type: 'postgres' }],
    ['mysql://me@db/bank', { ...server, type: 'mysql', port: 3306 }],
    ['mariadb://me@db/bank', { ...server, type: 'mariadb', port: 3306 }],
  ])('%s', (url, settings) => expect(readDatabaseUrl(url)).toEqual(settings));

  it.each(['bank', 'sqlite://bank', 'postgres://db', 'postgres://db/', 'http://db/bank'])('refuses %s', (url) =>
    expect(readDatabaseUrl(url)).toBeUndefined(),
  );
});
