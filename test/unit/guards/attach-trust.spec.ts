import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { attachTrust, trustOf, type HttpRequest } from '../../../lib/guards/http-exchange.js';
import type { TrustContext, UnverifiedTrust } from '../../../lib/trust/trust-context.js';

const aRequest = (): HttpRequest => new IncomingMessage(new Socket()) as unknown as HttpRequest;
const verified = (decision: string) => ({ verified: true, decision }) as unknown as TrustContext;
const unverified: UnverifiedTrust = { verified: false, code: 'insufficient_trust', decision: 'd' };

describe('what several guards decide about one request', () => {
  it('is nothing before the first', () => expect(trustOf(aRequest())).toBeUndefined());

  it('is unverified once one guard has said so, whatever others say after it', () => {
    const request = aRequest();
    attachTrust(request, unverified);
    attachTrust(request, verified('b'));
    attachTrust(request, { ...unverified, code: 'stale_token' });
    expect(trustOf(request)).toBe(unverified);
  });

  it('is unverified where the last one says so', () => {
    const request = aRequest();
    attachTrust(request, verified('a'));
    attachTrust(request, unverified);
    expect(trustOf(request)).toBe(unverified);
  });

  it('is what the last one proved where all have verified', () => {
    const [first, second] = [verified('a'), verified('b')];
    const request = aRequest();
    attachTrust(request, first);
    attachTrust(request, second);
    expect(trustOf(request)).toBe(second);
  });

  it('is of that request only, by Express and Fastify alike', () => {
    const [request, other] = [aRequest(), aRequest()];
    attachTrust(request, unverified);
    expect(trustOf(other)).toBeUndefined();
    const wrapped = { raw: request, method: 'GET', url: '/' } as unknown as HttpRequest;
    expect(trustOf(wrapped)).toBe(unverified);
  });
});
