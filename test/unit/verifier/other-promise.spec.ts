import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  aWorld,
  NOW,
  outcomeOf,
  requiring,
  SESSION_ID,
  someEvidence,
  type CallParts,
  type World,
} from '../../utils/core/index.js';

/*
 * zone.js and others put a Promise of their own in the place of the global one. Async functions go on returning the native
 * one, which is then no instance of the global.
 */
const Native = globalThis.Promise;
class OtherPromise<T> {
  readonly #promise: Promise<T>;

  constructor(executor: ConstructorParameters<typeof Promise<T>>[0]) {
    this.#promise = new Native(executor);
  }

  static resolve = (value: unknown) => Native.resolve(value);
  static reject = (error: unknown) => Native.reject(error);
  static all = (values: Iterable<unknown>) => Native.all(values);

  // oxlint-disable-next-line unicorn/no-thenable
  then(...handlers: Parameters<Promise<T>['then']>) {
    return this.#promise.then(...handlers);
  }

  catch(handler: (error: unknown) => unknown) {
    return this.#promise.catch(handler);
  }

  finally(handler: () => void) {
    return this.#promise.finally(handler);
  }
}

describe('with another global Promise', () => {
  let world: World;
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => unhandled.push(reason);

  beforeEach(async () => {
    world = await aWorld({ credential: { verify: async () => ({ subject: 'somebody-else' }) } }, { session: true });
    unhandled.length = 0;
    process.on('unhandledRejection', listener);
  });

  afterEach(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listener);
    expect(unhandled).toEqual([]);
  });

  it.each<[string, CallParts, ReturnType<typeof requiring>, string]>([
    ['a good request', { session: true }, requiring({ session: 'required' }), 'accepted'],
    [
      'a threat',
      { token: { claims: { rt: someEvidence({ at: NOW, found: ['root'], clear: [] }) } } },
      requiring(),
      'insufficient_trust',
    ],
    ['too little assurance', {}, requiring({ assurance: 'strongbox' }), 'insufficient_trust'],
    ['a rule that refuses', {}, requiring({ appraise: [async () => ({ deny: 'no' })] }), 'insufficient_trust'],
    [
      'the credential of another user',
      { headers: ['Authorization', 'Bearer of-somebody-else'], token: { claims: { sid: SESSION_ID } } },
      requiring({ session: 'required' }),
      'invalid_session',
    ],
    ['a signature that is none', { token: { signature: Buffer.alloc(64, 1) } }, requiring(), 'bad_signature'],
  ])('%s: as ever', async (_what, parts, requirement, expected) => {
    await Promise.resolve();
    globalThis.Promise = OtherPromise as never;
    try {
      const verification = await world.verify(parts, requirement);
      globalThis.Promise = Native;
      expect(outcomeOf(verification)).toBe(expected);
    } finally {
      globalThis.Promise = Native;
    }
  });
});
