import { describe, expect, it } from 'vitest';
import { tabConfiguration } from '../../../lib/enrolment/discovery.js';
import { EndpointSettings } from '../../../lib/enrolment/endpoint-settings.js';
import { TabError } from '../../../lib/errors/tab-error.js';
import { Origins } from '../../../lib/token/origins.js';
import { codeOf, NOW, thrownBy } from '../../utils/core/index.js';
import { Enrolments } from './attempt.js';

const settings = (origins = ['https://api.example.com/gw']) => ({
  ...new Enrolments().settings,
  challengeLifetime: 300,
  origins: new Origins(origins),
});

describe('the discovery document', () => {
  it('is that of PROTOCOL section 5', () => {
    expect(tabConfiguration(settings(), undefined, '/tab')).toEqual({
      version: 1,
      endpoints: {
        challenge: 'https://api.example.com/gw/tab/challenge',
        instances: 'https://api.example.com/gw/tab/instances',
      },
      algs: ['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'],
      proofKeys: false,
      tokenLifetime: 60,
      tokenMaxBytes: 4096,
      challengeLifetime: 300,
      formats: ['fake', 'none'],
    });
  });

  it('speaks of the origin that was asked', () => {
    const two = settings(['https://a.example', 'https://b.example']);
    expect(tabConfiguration(two, 'B.example', '/tab').endpoints.challenge).toBe('https://b.example/tab/challenge');
    expect(thrownBy(() => tabConfiguration(two, 'c.example', '/tab'))).toBe('request_mismatch');
  });
});

describe('EndpointSettings', () => {
  it.each(['tab', '/tab', '/tab/', '//tab//'])('has a prefix without slashes around it: %s', (prefix) =>
    expect(new EndpointSettings(prefix, settings()).prefix).toBe('tab'),
  );

  it('gives a request challenge with use_tab_nonce, and with nothing else', async () => {
    const endpoint = new EndpointSettings('/tab', settings());
    expect(endpoint.challengeLifetime).toBe(300);
    expect(endpoint.nonceFor(new TabError('bad_signature', 'x'))).toBeUndefined();
    const nonce = endpoint.nonceFor(new TabError('use_tab_nonce', 'x'));
    expect(await codeOf(() => endpoint.verifier.challenges.check(nonce, 'request', NOW))).toBe('accepted');
  });
});
