import type { QueryRunner } from 'typeorm';

type Query = (...args: unknown[]) => Promise<unknown>;

/** An error of a driver, as TypeORM wraps it and as the driver throws it. */
export const driverFailure = (driverError: object): Error =>
  Object.assign(new Error('failed'), driverError, { driverError });

/**
 * Puts `around` about every statement of a runner: on PostgreSQL at its connection, which prepared statements use directly,
 * elsewhere at TypeORM's `query`.
 */
export function aroundStatements(
  runner: QueryRunner,
  around: (send: () => Promise<unknown>) => Promise<unknown>,
): void {
  if (runner.connection.options.type !== 'postgres') {
    const query = runner.query.bind(runner) as Query;
    runner.query = ((...args: unknown[]) => around(() => query(...args))) as QueryRunner['query'];
    return;
  }
  const connect = runner.connect.bind(runner) as () => Promise<{ query: Query }>;
  runner.connect = async () => {
    const client = await connect();
    return new Proxy(client, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (name === 'query') return (...args: unknown[]) => around(() => target.query(...args));
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  };
}
