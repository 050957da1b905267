import { describe, expect, it, vi } from 'vitest';
import type { ParsedToken } from '../../../lib/verifier/steps.types.js';
import { KnownHeaders } from '../../../lib/verifier/known-headers.js';
import { aWorld, outcomeOf, requiring } from '../../utils/core/index.js';

/** A token of which nothing but the header matters. */
const parsed = (newHeader: string | undefined, kid = 'k'): ParsedToken =>
  ({ newHeader, header: { alg: 'ES256', kid } }) as unknown as ParsedToken;

describe('known headers', () => {
  it('are found by their whole text, and as many as were asked for', () => {
    const known = new KnownHeaders(2);
    for (const text of ['one', 'two', 'three']) known.keep(parsed(text, text));
    expect(['one', 'two', 'three', 'tw', 'two.'].map((text) => known.get(text)?.kid)).toEqual([
      undefined,
      'two',
      'three',
      undefined,
      undefined,
    ]);
  });

  it('that were known already are not kept again', () => {
    const known = new KnownHeaders(1);
    known.keep(parsed('one'));
    known.keep(parsed(undefined));
    expect(known.get('one')).toBeDefined();
  });

  it('are short: nobody fills the memory with members that are not read', async () => {
    const world = await aWorld();
    const set = vi.spyOn(KnownHeaders.prototype, 'get');
    const padded = { token: { header: { pad: 'x'.repeat(300) } } };
    for (let i = 0; i < 2; i += 1) expect(outcomeOf(await world.verify(padded))).toBe('accepted');
    expect(set.mock.results.map(({ value }) => value as unknown)).toEqual([undefined, undefined]);
    for (let i = 0; i < 2; i += 1) expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(set.mock.results.at(-1)?.value).toBeDefined();
    vi.restoreAllMocks();
  });

  it('are kept only of tokens that were found authentic: others could displace them', async () => {
    const keep = vi.spyOn(KnownHeaders.prototype, 'keep');
    const world = await aWorld();
    const refusals = [
      await world.verify({ token: { signature: Buffer.alloc(64, 7) } }),
      await world.verify({ token: { header: { alg: 'none' } } }),
      await world.verify({ token: { claims: { htu: 'https://evil.example/' } } }, requiring()),
      await world.verify({ token: { header: { kid: 'A'.repeat(43) } } }),
    ].map(outcomeOf);
    expect(refusals).not.toContain('accepted');
    expect(keep).not.toHaveBeenCalled();
    expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(keep.mock.calls.map(([token]) => token.newHeader !== undefined)).toEqual([true, false]);
    vi.restoreAllMocks();
  });

  it('say nothing of a signature, a claim, or an instance that was revoked since', async () => {
    const world = await aWorld();
    expect(outcomeOf(await world.verify())).toBe('accepted');
    expect(outcomeOf(await world.verify({ token: { signature: Buffer.alloc(64, 7) } }))).toBe('bad_signature');
    expect(outcomeOf(await world.verify({ token: { claims: { app: undefined } } }))).toBe('malformed_token');
    await world.settings.bindings.revoke(world.key.id, { reason: 'stolen', at: world.clock.seconds });
    expect(outcomeOf(await world.verify())).toBe('instance_revoked');
  });
});
