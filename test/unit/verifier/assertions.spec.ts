import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AttestationError } from '../../../lib/attestation/attestation-error.js';
import type { Attester, RequestAssertion } from '../../../lib/attestation/attester.js';
import { assertionCounterOf } from '../../../lib/bindings/assertion-counter.js';
import type { AppInstance } from '../../../lib/bindings/binding.types.js';
import { assertionStep } from '../../../lib/verifier/assertion-step.js';
import { anApp, aKey, aRequest, outcomeOf, requiring, World, type CallParts } from '../../utils/core/index.js';

/** An attester whose assertions are the hash of the token and one octet of counter. */
class Asserter implements Attester {
  readonly format = 'fake';
  readonly reach = 'software';
  readonly asked: RequestAssertion[] = [];

  examine(): never {
    throw new Error('nobody enrols here');
  }

  assertRequest(input: RequestAssertion): { counter: number } {
    this.asked.push(input);
    const counter = input.assertion.at(-1) ?? 0;
    if (!Buffer.from(input.clientDataHash).equals(input.assertion.subarray(0, -1))) {
      throw new AttestationError('signature', 'not over this token');
    }
    if (counter <= input.previousCounter) throw new AttestationError('counter', 'not above the one before');
    return { counter };
  }
}

const STRICT = requiring({ assertion: true });

/** A world whose instance can make assertions. */
async function assertingWorld(attestationClaims: Record<string, unknown> = {}) {
  const asserter = new Asserter();
  const app = anApp({ attesters: new Map([['fake', asserter]]) });
  const world = new World({ apps: new Map([[app.id, app]]) });
  await world.enrol(aKey(), { format: 'fake', attestationClaims });
  const counter = async () => {
    const { instance } = await world.settings.bindings.load({ instanceId: aKey().id });
    return instance && assertionCounterOf(instance);
  };
  return { world, asserter, counter };
}

/** A request with its assertion. */
function asserted(world: World, counter: number, parts: CallParts = {}, header?: (assertion: string) => string[]) {
  const request = world.request(parts);
  const [token = ''] = request.headers.values('tab-token');
  const hash = createHash('sha256').update(token).digest();
  const assertion = Buffer.concat([hash, Buffer.of(counter)]).toString('base64');
  const fields = header?.(assertion) ?? ['TAB-Assertion', assertion];
  return aRequest({ ...parts, headers: [...(parts.headers ?? []), 'TAB-Token', token, ...fields] });
}

describe('assertions on requests', () => {
  it('one over this very token passes, and its counter is kept', async () => {
    const { world, counter } = await assertingWorld();
    expect(outcomeOf(await world.verifier.verify(asserted(world, 7), STRICT))).toBe('accepted');
    expect(await counter()).toBe(7);
    expect(outcomeOf(await world.verifier.verify(asserted(world, 8), STRICT))).toBe('accepted');
    expect(await counter()).toBe(8);
  });

  it('none is asked for unless the policy does', async () => {
    const { world, asserter } = await assertingWorld();
    expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(asserter.asked).toEqual([]);
  });

  it.each<[string, (assertion: string) => string[]]>([
    ['none', () => []],
    ['two', (assertion) => ['TAB-Assertion', assertion, 'TAB-Assertion', assertion]],
    ['base64url', (assertion) => ['TAB-Assertion', `${assertion.slice(0, -4)}_-_-`]],
    ['an empty one', () => ['TAB-Assertion', '']],
    ['one of 2 KB', () => ['TAB-Assertion', 'A'.repeat(2048)]],
    ['one over another token', (assertion) => ['TAB-Assertion', `AAAA${assertion.slice(4)}`]],
  ])('%s: refused, and the counter stays', async (_, header) => {
    const { world, counter } = await assertingWorld({ assertionCounter: 3 });
    expect(outcomeOf(await world.verifier.verify(asserted(world, 9, {}, header), STRICT))).toBe('insufficient_trust');
    expect(await counter()).toBe(3);
  });

  it('a counter that is not above the one before is refused', async () => {
    const { world } = await assertingWorld({ assertionCounter: 3 });
    expect(outcomeOf(await world.verifier.verify(asserted(world, 3), STRICT))).toBe('insufficient_trust');
  });

  it('of 20 requests with one counter, at once, one passes', async () => {
    const { world, counter } = await assertingWorld();
    const requests = Array.from({ length: 20 }, () => asserted(world, 5));
    const outcomes = await Promise.all(
      requests.map(async (each) => outcomeOf(await world.verifier.verify(each, STRICT))),
    );
    expect(outcomes.filter((each) => each === 'accepted')).toHaveLength(1);
    expect(outcomes.filter((each) => each === 'insufficient_trust')).toHaveLength(19);
    expect(await counter()).toBe(5);
  });

  it('a replay is told as a replay, and raises nothing', async () => {
    const { world, asserter, counter } = await assertingWorld();
    const request = asserted(world, 5);
    await world.verifier.verify(request, STRICT);
    const copy = aRequest({ headers: rawOf(request) });
    expect(outcomeOf(await world.verifier.verify(copy, STRICT))).toBe('replayed_token');
    expect(asserter.asked).toHaveLength(1);
    expect(await counter()).toBe(5);
  });

  it('two guards on one request raise the counter once', async () => {
    const { world, asserter } = await assertingWorld();
    const request = asserted(world, 5);
    const other = requiring({ assertion: true, body: false });
    expect(outcomeOf(await world.verifier.verify(request, STRICT))).toBe('accepted');
    expect(outcomeOf(await world.verifier.verify(request, other))).toBe('accepted');
    expect(asserter.asked).toHaveLength(1);
  });

  it('an instance that was suspended while the assertion was looked at stays suspended', async () => {
    const { world, asserter } = await assertingWorld();
    const { bindings } = world.settings;
    const look = asserter.assertRequest.bind(asserter);
    let suspended: Promise<boolean> | undefined;
    asserter.assertRequest = (input) => {
      suspended = bindings.suspend(aKey().id, { reason: 'test', at: world.clock.seconds }, ['root']);
      return look(input);
    };
    expect(outcomeOf(await world.verifier.verify(asserted(world, 5), STRICT))).toBe('insufficient_trust');
    expect(await suspended).toBe(true);
    expect((await bindings.load({ instanceId: aKey().id })).instance?.status).toBe('suspended');
  });

  it('an instance that attested another key meanwhile, in the same second, keeps the counter of that', async () => {
    const { world, asserter, counter } = await assertingWorld({ keyId: 'old', assertionCounter: 3 });
    const { bindings } = world.settings;
    const { instance } = await bindings.load({ instanceId: aKey().id });
    const look = asserter.assertRequest.bind(asserter);
    let replaced: Promise<boolean> | undefined;
    asserter.assertRequest = (input) => {
      const known = instance as AppInstance;
      const attestationClaims = { keyId: 'new', assertionCounter: 0 };
      replaced = bindings.saveInstance({ ...known, attestationClaims, revision: known.revision + 1 }, known.revision);
      return look(input);
    };
    expect(outcomeOf(await world.verifier.verify(asserted(world, 9), STRICT))).toBe('insufficient_trust');
    expect(await replaced).toBe(true);
    expect(await counter()).toBe(0);
  });

  it('an instance of a format without assertions is refused', async () => {
    const world = await new World().enrol();
    expect(outcomeOf(await world.verifier.verify(asserted(world, 5), STRICT))).toBe('insufficient_trust');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 5.5, '9' as unknown as number])(
    'a counter that no device counts is refused, and does not set back what is kept: %s',
    async (bad) => {
      const { world, asserter, counter } = await assertingWorld({ assertionCounter: 3 });
      asserter.assertRequest = () => ({ counter: bad });
      expect(outcomeOf(await world.verifier.verify(asserted(world, 5), STRICT))).toBe('insufficient_trust');
      expect(await counter()).toBe(3);
    },
  );

  it('nothing passes that is over no token at all', async () => {
    const { world, asserter, counter } = await assertingWorld();
    const { instance } = await world.settings.bindings.load({ instanceId: aKey().id });
    const hash = createHash('sha256').update('').digest();
    const assertion = Buffer.concat([hash, Buffer.of(5)]).toString('base64');
    const request = aRequest({ headers: ['TAB-Assertion', assertion] });
    await expect(assertionStep(request, instance as AppInstance, world.settings)).rejects.toMatchObject({
      code: 'insufficient_trust',
    });
    expect(asserter.asked).toEqual([]);
    expect(await counter()).toBe(0);
  });

  it('an attestation that has expired makes no assertion good', async () => {
    const { world } = await assertingWorld();
    world.clock.advance(20_000);
    expect(outcomeOf(await world.verifier.verify(asserted(world, 5), STRICT))).toBe('step_up_required');
  });
});

function rawOf(request: { headers: { values(name: string): readonly string[] } }): string[] {
  return ['tab-token', 'tab-assertion'].flatMap((name) =>
    request.headers.values(name).flatMap((value) => [name, value]),
  );
}
