import { describe, expect, it } from 'vitest';
import type { TrustRequirementOptions } from '../../../lib/trust/requirement.js';
import { aWorld, outcomeOf, requiring, sha, type CallParts } from '../../utils/core/index.js';

const post = (change: CallParts = {}): CallParts => ({
  method: 'POST',
  content: '{"a":1}',
  headers: ['Content-Type', 'application/json'],
  ...change,
});
const claims = (change: Record<string, unknown>) => ({ token: { claims: change } });
const UNAVAILABLE = { kind: 'unavailable' } as const;

describe('the content of a request', () => {
  it.each<[string, CallParts, TrustRequirementOptions, string]>([
    ['bound', post(), {}, 'accepted'],
    ['on GET', post({ method: 'GET' }), {}, 'accepted'],
    ['with a hash of another', post(claims({ bh: sha('x') })), {}, 'request_mismatch'],
    ['with a hash of another, on GET', post({ method: 'GET', ...claims({ bh: sha('x') }) }), {}, 'request_mismatch'],
    ['with a hash of another, unbound', post(claims({ bh: sha('x') })), { body: false }, 'request_mismatch'],
    ['without a hash', post(claims({ bh: undefined, ct: undefined })), {}, 'request_mismatch'],
    ['without a hash, unbound', post(claims({ bh: undefined, ct: undefined })), { body: false }, 'accepted'],
    ['of a type that was not signed', post(claims({ ct: 'text/plain' })), {}, 'request_mismatch'],
    [
      'coded',
      post({ headers: ['Content-Type', 'application/json', 'Content-Encoding', 'gzip'] }),
      {},
      'request_mismatch',
    ],
    [
      'coded, unbound',
      post({ headers: ['Content-Type', 'application/json', 'Content-Encoding', 'gzip'] }),
      { body: false },
      'accepted',
    ],
    [
      'not available',
      post({ content: UNAVAILABLE, ...claims({ bh: sha('{}'), ct: 'application/json' }) }),
      {},
      'request_mismatch',
    ],
    [
      'not available, hash of nothing',
      post({ content: UNAVAILABLE, ...claims({ bh: sha(''), ct: 'application/json' }) }),
      {},
      'request_mismatch',
    ],
    ['not available, no hash', post({ content: UNAVAILABLE }), {}, 'request_mismatch'],
    ['not available, unbound', post({ content: UNAVAILABLE }), { body: false }, 'accepted'],
    ['absent, with a hash', post({ content: { kind: 'none' }, ...claims({ bh: sha('') }) }), {}, 'request_mismatch'],
    ['absent, with a Content-Type', post({ content: { kind: 'none' } }), {}, 'accepted'],
  ])('%s: %s', async (_what, parts, requirement, code) =>
    expect(outcomeOf(await (await aWorld()).verify(parts, requiring(requirement)))).toBe(code),
  );
});

describe('headers that the policy binds', () => {
  const key = ['Idempotency-Key', 'abc'];
  it.each<[string, CallParts, string]>([
    ['bound', { headers: key, ...claims({ hd: { 'idempotency-key': sha('abc') } }) }, 'accepted'],
    ['not bound', { headers: key }, 'request_mismatch'],
    [
      'bound to another value',
      { headers: key, ...claims({ hd: { 'idempotency-key': sha('abd') } }) },
      'request_mismatch',
    ],
    [
      'sent twice',
      { headers: [...key, ...key], ...claims({ hd: { 'idempotency-key': sha('abc') } }) },
      'request_mismatch',
    ],
    ['not sent', claims({ hd: { 'idempotency-key': sha('') } }), 'request_mismatch'],
  ])('%s: %s', async (_what, parts, code) =>
    expect(outcomeOf(await (await aWorld()).verify(parts, requiring({ headers: ['idempotency-key'] })))).toBe(code),
  );
});
