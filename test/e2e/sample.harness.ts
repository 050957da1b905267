import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import type { DataSourceOptions } from 'typeorm';
import {
  createDefender,
  memoryKeyStore,
  type ClientAttester,
  type Defender,
  type KeyStore,
  type ProbeResult,
} from 'nestjs-tab/defender';
import type { AttestationIssuer } from 'nestjs-tab/testing';
import { createBankApp } from '../../sample/bank/bank-app.js';
import { readConfig, type BankConfig } from '../../sample/bank/config.js';
import type { DatabaseSettings } from '../../sample/bank/database/database-settings.js';

/** The one origin of the banks under test: whatever port they listen on, clients address this one. */
export const ORIGIN = 'http://localhost:3000';

/** A bank that listens. */
export interface RunningBank {
  readonly app: INestApplication;
  /** Where it really is. */
  readonly url: string;
}

/** Starts a bank: in memory, with secrets of its own, unless changed. */
export async function startBank(change: Partial<BankConfig> = {}): Promise<RunningBank> {
  const config: BankConfig = { ...readConfig({}, 3000), origins: [ORIGIN], ...change };
  const app = await createBankApp(config, { logger: false });
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  return { app, url: `http://127.0.0.1:${port}` };
}

/** A test database as the bank's configuration says it. */
export function settingsOf(options: DataSourceOptions): DatabaseSettings {
  if (options.type === 'better-sqlite3') return { type: 'better-sqlite3', file: options.database };
  if (options.type !== 'postgres' && options.type !== 'mariadb') throw new Error(`no settings for ${options.type}`);
  const { type, host = '', port = 0, username = '' } = options;
  return { type, host, port, username, password: '', database: String(options.database), ssl: false };
}

/** A clock that only tests move. Milliseconds. */
export class TestClock {
  ms = Date.now();
  readonly now = (): number => this.ms;

  advance(seconds: number): void {
    this.ms += seconds * 1000;
  }
}

/** Settings of a client; by default a new instance whose probes find nothing. */
export interface ClientOptions {
  readonly clock?: () => number;
  readonly keyStore?: KeyStore;
  /** With one, the app is the attested one. */
  readonly attester?: ClientAttester | undefined;
  /** Default false: nothing is sent but what the test sends. */
  readonly proofKeys?: boolean | 'session';
}

/** The service behind an attested app: attests the key of whoever asks. */
export function attesterOf(issuer: AttestationIssuer): ClientAttester {
  return {
    format: 'client-attestation',
    attest: async ({ publicKey, app }) => ({ jwt: await issuer.issue({ sub: app.id, publicKey }) }),
  };
}

/** What a login answers. */
export interface Login {
  readonly accessToken: string;
  readonly sessionId: string;
  readonly expiresIn: number;
}

/** An instance of the app, in front of one process of the bank or several that take turns. */
export class BankClient {
  readonly defender: Defender;
  readonly keyStore: KeyStore;
  accessToken = '';
  /** What the probes answer from now on; others than the declared ones may be added. */
  readonly answers: Record<string, ProbeResult> = { debugger: 'clear', hooking: 'clear', tamper: 'clear' };
  /** What was sent last, to send again. */
  last: { path: string; init: RequestInit } | undefined;
  #turn = 0;

  constructor(
    private readonly banks: readonly RunningBank[],
    { clock, keyStore = memoryKeyStore(), attester, proofKeys = false }: ClientOptions = {},
  ) {
    this.keyStore = keyStore;
    this.defender = createDefender({
      api: ORIGIN,
      app: { id: attester ? 'com.example.bank.attested' : 'com.example.bank', ver: '1.0.0', platform: 'node' },
      keyStore,
      attester,
      clock,
      proofKeys,
      reenrolWait: 0,
      evidenceMaxAge: 0,
      probes: [
        { name: 'x-test-all', run: () => ({ found: this.#answering('found'), clear: this.#answering('clear') }) },
      ],
      fetch: (input, init = {}) => {
        this.last = { path: (input instanceof Request ? input.url : input.toString()).slice(ORIGIN.length), init };
        return fetch(`${this.#next().url}${this.last.path}`, init);
      },
    });
  }

  /** Sends a guarded request, with the access token if there is one. */
  send(method: string, path: string, body?: unknown): Promise<Response> {
    const headers = new Headers(this.accessToken === '' ? {} : { Authorization: `Bearer ${this.accessToken}` });
    if (body !== undefined) headers.set('Content-Type', 'application/json');
    return this.defender.fetch(`${ORIGIN}${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  /** Logs in and keeps the access token. */
  async logIn(username = 'alice', password = `${username}-secret`): Promise<Login> {
    this.accessToken = '';
    const response = await this.send('POST', '/auth/login', { username, password });
    if (response.status !== 200) throw new Error(`login was answered ${response.status}`);
    const login = (await response.json()) as Login;
    this.accessToken = login.accessToken;
    return login;
  }

  /** Exactly what was sent last, to the next process. */
  repeat(): Promise<Response> {
    if (!this.last) throw new Error('nothing was sent');
    return fetch(`${this.#next().url}${this.last.path}`, this.last.init);
  }

  /** The balances of the user's accounts by id. */
  async balances(): Promise<Record<string, number>> {
    const accounts = (await (await this.send('GET', '/accounts')).json()) as { id: string; balance: number }[];
    return Object.fromEntries(accounts.map(({ id, balance }) => [id, balance]));
  }

  #answering(result: ProbeResult): string[] {
    return Object.keys(this.answers).filter((name) => this.answers[name] === result);
  }

  #next(): RunningBank {
    const bank = this.banks[this.#turn++ % this.banks.length];
    if (!bank) throw new Error('no bank');
    return bank;
  }
}

/** What an answer says, in the words of the specification: `401 replayed_token`, or `401` when it is the app's own. */
export function told(response: Response): string {
  return [response.status, response.headers.get('tab-error') ?? ''].join(' ').trim();
}
