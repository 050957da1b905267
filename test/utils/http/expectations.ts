import { expect } from 'vitest';
import type { Answer } from './wire.js';

/** The table of PROTOCOL section 7, written down a second time. */
const STATUS: Readonly<Record<string, number>> = {
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

const CHALLENGE = /^TAB error="([a-z_]+)"(?:, requirement="(?:attestation|signature)")?(?:, max_age=\d+)?$/;

/** The headers that every refusal with this code carries. */
export function expectRefusalHeaders(answer: Answer, code: string): void {
  const status = STATUS[code] as number;
  expect({ status: answer.status, code: answer.header('tab-error') }).toEqual({ status, code });
  expect(answer.header('cache-control')).toBe('no-store');
  const challenge = answer.header('www-authenticate');
  if (status === 401 || status === 403) expect(CHALLENGE.exec(challenge ?? '')?.[1]).toBe(code);
  else expect(challenge).toBeUndefined();
  if (status === 429 || status === 503) expect(answer.header('retry-after')).toMatch(/^[1-9]\d*$/);
  else expect(answer.header('retry-after')).toBeUndefined();
  if (code === 'use_tab_nonce') expect(answer.header('tab-nonce')).toMatch(/^[A-Za-z0-9._-]{22,256}$/);
  if (code === 'stale_token') {
    expect(answer.header('tab-skew')).toMatch(/^-?\d+$/);
    expect(Number.isNaN(Date.parse(answer.header('date') ?? ''))).toBe(false);
  } else expect(answer.header('tab-skew')).toBeUndefined();
}

/** A refusal in full: its headers and its problem document, with no member that PROTOCOL section 7 does not name. */
export function expectRefusal(answer: Answer, code: string): void {
  expectRefusalHeaders(answer, code);
  expect(answer.header('content-type')).toMatch(/^application\/problem\+json(?:; ?charset=utf-8)?$/i);
  expect(answer.json()).toEqual({
    type: `urn:tab:error:${code}`,
    title: expect.stringMatching(/./),
    status: STATUS[code],
    code,
    decision: expect.stringMatching(/^[A-Za-z0-9_-]{8,64}$/),
  });
}

/** An answer of a guarded handler. */
export function expectAccepted(answer: Answer, status = 200): void {
  expect({ status: answer.status, code: answer.header('tab-error'), body: answer.body.toString() }).toMatchObject({
    status,
    code: undefined,
  });
  expect(answer.header('cache-control')).toBe('private, no-store');
}
