import { describe, expect, it } from 'vitest';
import { TabError } from '../../../lib/errors/tab-error.js';
import { readClaims } from '../../../lib/token/claims.js';
import { checkExpiry, checkIssuedAt, checkRestartFence } from '../../../lib/token/time-window.js';
import { NOW, someClaims, someEvidence, thrownBy, type Members } from '../../utils/core/index.js';

const WINDOW = { lifetime: 60, tolerance: 5 };
const claims = (change: Members) => readClaims(someClaims({ rt: someEvidence({ at: 0 }), ...change }));

describe('iat', () => {
  it.each([
    [NOW, 'accepted'],
    [NOW + 5, 'accepted'],
    [NOW + 6, 'stale_token'],
    [NOW - 65, 'accepted'],
    [NOW - 66, 'stale_token'],
    [0, 'stale_token'],
    [2 ** 53 - 1, 'stale_token'],
  ])('%s is %s', (iat, outcome) => expect(thrownBy(() => checkIssuedAt(claims({ iat }), NOW, WINDOW))).toBe(outcome));

  it.each([
    [{ lifetime: 120, tolerance: 15 }, NOW - 135, 'accepted'],
    [{ lifetime: 120, tolerance: 15 }, NOW - 136, 'stale_token'],
    [{ lifetime: 120, tolerance: 15 }, NOW + 15, 'accepted'],
    [{ lifetime: 1, tolerance: 0 }, NOW - 1, 'accepted'],
    [{ lifetime: 1, tolerance: 0 }, NOW - 2, 'stale_token'],
    [{ lifetime: 1, tolerance: 0 }, NOW + 1, 'stale_token'],
  ])('with %j, %s is %s', (window, iat, outcome) =>
    expect(thrownBy(() => checkIssuedAt(claims({ iat }), NOW, window))).toBe(outcome),
  );

  it.each([
    [NOW + 100, -100],
    [NOW - 100, 100],
  ])('tells the skew of %s: %s', (iat, skew) => {
    let error: unknown;
    try {
      checkIssuedAt(claims({ iat }), NOW, WINDOW);
    } catch (thrown) {
      error = thrown;
    }
    expect((error as TabError).hints).toEqual({ skew });
  });
});

describe('exp', () => {
  const outcome = (iat: number, exp?: number) =>
    thrownBy(() => checkExpiry(claims({ iat, ...(exp !== undefined && { exp }) }), NOW, WINDOW));

  it('may be absent', () => expect(outcome(NOW)).toBe('accepted'));
  it.each([
    ['after iat', NOW, NOW + 1, 'accepted'],
    ['far after the lifetime, which it cannot lengthen', NOW, NOW + 1e6, 'accepted'],
    ['at iat', NOW, NOW, 'stale_token'],
    ['before iat', NOW, NOW - 1, 'stale_token'],
    ['passed, within the tolerance', NOW - 30, NOW - 4, 'accepted'],
    ['passed, at the tolerance', NOW - 30, NOW - 5, 'stale_token'],
    ['zero', NOW - 30, 0, 'stale_token'],
  ])('%s', (_what, iat, exp, expected) => expect(outcome(iat, exp)).toBe(expected));
});

describe('the fence after the restart of a store that forgets', () => {
  it.each([
    [NOW - 1, 'stale_token'],
    [NOW + 15, 'stale_token'],
    [NOW + 16, 'accepted'],
  ])('iat %s is %s', (iat, outcome) =>
    expect(thrownBy(() => checkRestartFence(claims({ iat }), NOW + 20, NOW))).toBe(outcome),
  );
});
