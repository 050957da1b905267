import { HttpException } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { problemOf, PROBLEM_TYPE, refusalHeaders } from '../../../lib/errors/answer.js';
import { TAB_ERROR_CODES, type TabErrorCode } from '../../../lib/errors/codes.js';
import { TabConfigError, TabError } from '../../../lib/errors/tab-error.js';
import { TabException } from '../../../lib/errors/tab-exception.js';

/** PROTOCOL section 7. */
const STATUS: Record<TabErrorCode, number> = {
  missing_token: 401,
  malformed_token: 401,
  unsupported_alg: 401,
  stale_token: 401,
  request_mismatch: 401,
  use_tab_nonce: 401,
  unknown_instance: 401,
  bad_signature: 401,
  invalid_session: 401,
  replayed_token: 401,
  step_up_required: 401,
  instance_suspended: 403,
  instance_revoked: 403,
  insufficient_trust: 403,
  attestation_rejected: 403,
  rate_limited: 429,
  store_unavailable: 503,
};
const CODES = Object.entries(STATUS) as [TabErrorCode, number][];
const NOW_MS = 1_800_000_000_000;
const headersOf = (error: TabError) => Object.fromEntries(refusalHeaders(error, NOW_MS));

describe('codes', () => {
  it('are those of the protocol, and no others', () =>
    expect(Object.keys(TAB_ERROR_CODES).sort()).toEqual(Object.keys(STATUS).sort()));
  it.each(CODES)('%s is answered with %s', (code, status) => expect(new TabError(code, 'x').status).toBe(status));
});

describe('TabError', () => {
  it('keeps its reason for the log, with its cause', () => {
    const cause = new Error('inner');
    const error = new TabError('bad_signature', 'why', { cause });
    expect(error).toMatchObject({
      name: 'TabError',
      message: 'bad_signature: why',
      detail: 'why',
      cause,
      hints: {},
      title: 'The signature does not verify',
    });
    expect('cause' in new TabError('bad_signature', 'why')).toBe(false);
  });
  it('is no configuration error, which is a TypeError', () => {
    expect(new TabError('bad_signature', 'x')).not.toBeInstanceOf(TypeError);
    expect(new TabConfigError('x')).toBeInstanceOf(TypeError);
    expect(new TabConfigError('x').name).toBe('TabConfigError');
  });
});

describe('the problem document', () => {
  it.each(CODES)('of %s', (code, status) => {
    const error = new TabError(code, 'inner reason', { cause: new Error('secret') });
    const problem = { type: `urn:tab:error:${code}`, title: error.title, status, code, decision: 'id' };
    expect(problemOf(error, 'id', false)).toEqual(problem);
    const policy = ['insufficient_trust', 'step_up_required'].includes(code);
    expect(problemOf(error, 'id', true)).toEqual(policy ? problem : { ...problem, detail: 'inner reason' });
    expect(new TabException(error, 'id', true).getResponse()).toEqual(problemOf(error, 'id', true));
    const exception = new TabException(error, 'id');
    expect(exception).toBeInstanceOf(HttpException);
    expect([exception.getStatus(), exception.getResponse(), exception.cause, exception.decision]).toEqual([
      status,
      problem,
      error,
      'id',
    ]);
    expect(JSON.stringify(exception.getResponse())).not.toContain('inner reason');
  });
  it('has its media type', () => expect(PROBLEM_TYPE).toBe('application/problem+json'));
});

describe('the trace of a refusal', () => {
  it('is that of its cause, and other errors keep theirs', () => {
    const exception = new TabException(new TabError('bad_signature', 'no'), 'id');
    expect(exception.stack).not.toContain('    at ');
    expect((exception.cause as Error).stack).toContain('errors.spec');
    expect(new Error('another').stack).toContain('errors.spec');
  });

  it('is left as it is where the limit cannot be changed: the refusal comes all the same', () => {
    const before = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit') ?? {};
    Object.defineProperty(Error, 'stackTraceLimit', { value: 10, writable: false, configurable: true });
    try {
      expect(new TabException(new TabError('bad_signature', 'no'), 'id').getStatus()).toBe(401);
    } finally {
      Object.defineProperty(Error, 'stackTraceLimit', before);
    }
  });

  it('is put back when the exception cannot be made', () => {
    const before = Error.stackTraceLimit;
    expect(() => new TabException(undefined as never, 'id')).toThrow(TypeError);
    expect(Error.stackTraceLimit).toBe(before);
  });
});

describe('the headers of a refusal', () => {
  it.each(CODES)('%s', (code, status) => {
    const headers = headersOf(new TabError(code, 'x'));
    expect(headers['TAB-Error']).toBe(code);
    expect(headers['Cache-Control']).toBe('no-store');
    expect(headers['WWW-Authenticate']).toBe(status === 401 || status === 403 ? `TAB error="${code}"` : undefined);
    expect(headers['Retry-After']).toBe(status === 429 || status === 503 ? '1' : undefined);
    expect(headers).not.toHaveProperty('TAB-Skew');
  });

  it.each([
    ['stale_token', { skew: -42 }, { 'TAB-Skew': '-42', Date: 'Fri, 15 Jan 2027 08:00:00 GMT' }],
    ['stale_token', { skew: 0 }, { 'TAB-Skew': '0' }],
    [
      'step_up_required',
      { requirement: 'attestation' },
      { 'WWW-Authenticate': 'TAB error="step_up_required", requirement="attestation"' },
    ],
    ['insufficient_trust', { maxAge: 60 }, { 'WWW-Authenticate': 'TAB error="insufficient_trust", max_age=60' }],
    ['insufficient_trust', { maxAge: 0 }, { 'WWW-Authenticate': 'TAB error="insufficient_trust", max_age=0' }],
    ['rate_limited', { retryAfter: 42 }, { 'Retry-After': '42' }],
    ['store_unavailable', { retryAfter: 2 }, { 'Retry-After': '2' }],
  ] as const)('%s with %j', (code, hints, expected) =>
    expect(headersOf(new TabError(code, 'x', { hints }))).toMatchObject(expected),
  );
});
