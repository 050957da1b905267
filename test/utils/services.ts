import { connect } from 'node:net';
import { describe, it } from 'vitest';

/** A service that some tests need. */
export type ServiceName = 'postgres' | 'mariadb' | 'redis';

/** Where a service listens. */
export interface ServiceAddress {
  readonly host: string;
  readonly port: number;
}

/** Longest wait for a connection, in milliseconds. */
const TIMEOUT = 1_000;

const PORTS: Record<ServiceName, number> = { postgres: 5432, mariadb: 3306, redis: 6379 };

/** The address of a service: `TAB_<NAME>_HOST` and `TAB_<NAME>_PORT`, else the usual port on loopback. */
export function serviceAddress(name: ServiceName): ServiceAddress {
  const variable = (part: string) => process.env[`TAB_${name.toUpperCase()}_${part}`];
  return { host: variable('HOST') ?? '127.0.0.1', port: Number(variable('PORT') ?? PORTS[name]) };
}

/**
 * Whether a service accepts connections. An absent one is announced, and is an error where `TAB_REQUIRE_SERVICES=1`
 * says that the tests that need it must run.
 */
export async function serviceAvailable(name: ServiceName): Promise<boolean> {
  const address = serviceAddress(name);
  if (await accepts(address)) return true;
  const notice = `no ${name} at ${address.host}:${address.port}`;
  if (process.env['TAB_REQUIRE_SERVICES'] === '1') throw new Error(`${notice}, and TAB_REQUIRE_SERVICES=1`);
  console.warn(`${notice}: the tests that need it are skipped`);
  return false;
}

/** A `describe` over a service; skipped, with a printed notice, where it is absent. */
export async function describeService(name: ServiceName, title: string, body: () => void): Promise<void> {
  if (await serviceAvailable(name)) describe(title, body);
  else describe.skip(title, () => it(`needs ${name}`, () => undefined));
}

function accepts({ host, port }: ServiceAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: TIMEOUT });
    const settle = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', settle(true)).once('error', settle(false)).once('timeout', settle(false));
  });
}
