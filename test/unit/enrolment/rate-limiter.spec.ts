import { describe, expect, it } from 'vitest';
import { RateLimiter } from '../../../lib/enrolment/rate-limiter.js';
import { TabError } from '../../../lib/errors/tab-error.js';
import { codeOf, NOW, thrownBy } from '../../utils/core/index.js';
import { Enrolments } from './attempt.js';

const limited = (limiter: RateLimiter, address: string, now = NOW) =>
  thrownBy(() => limiter.check(address, now)) === 'rate_limited';

/** Whether two addresses are counted together. */
function together(one: string, other: string): boolean {
  const limiter = new RateLimiter(1);
  limiter.check(one, NOW);
  return limited(limiter, other);
}

describe('the rate limiter', () => {
  it('lets the limit through in a minute, and then says how long to wait', () => {
    const limiter = new RateLimiter(3);
    for (let i = 0; i < 3; i += 1) limiter.check('203.0.113.5', NOW + i * 10);
    let error: unknown;
    try {
      limiter.check('203.0.113.5', NOW + 45);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TabError);
    expect((error as TabError).hints).toEqual({ retryAfter: 15 });
    expect(limited(limiter, '203.0.113.5', NOW + 59)).toBe(true);
    expect(limited(limiter, '203.0.113.5', NOW + 60)).toBe(false);
  });

  it('starts anew when the clock was set back', () => {
    const limiter = new RateLimiter(1);
    limiter.check('a', NOW);
    expect(limited(limiter, 'a', NOW - 1000)).toBe(false);
  });

  it.each([
    ['203.0.113.5', '203.0.113.5', true],
    ['203.0.113.5', '203.0.113.6', false],
    ['203.0.113.5', '::ffff:203.0.113.5', true],
    ['::ffff:203.0.113.5', '::FFFF:203.0.113.6', false],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['2001:db8::1', '2001:0DB8:0:0::2', true],
    ['2001:db8::1', '2001:db8:0:0:1:2:3:4', true],
    ['2001:db8:0:1::', '2001:db8::', false],
    ['::1', '::2', true],
    ['1::', '::1', false],
    ['fe80::1%eth0', 'fe80::2%eth1', true],
    ['', '', true],
    ['unknown', '203.0.113.5', false],
  ])('%s and %s count together: %s', (one, other, same) => expect(together(one, other)).toBe(same));
});

describe('the limits of the service', () => {
  it('hold for enrolments, before anything else is looked at', async () => {
    const server = new Enrolments({}, { enrolmentsPerMinute: 2, challengesPerMinute: 5 });
    expect(await codeOf(() => server.enrol({ header: { typ: 'x' } }))).toBe('malformed_token');
    expect(await codeOf(() => server.enrol())).toBe('accepted');
    expect(await codeOf(() => server.enrol())).toBe('rate_limited');
    expect(await codeOf(() => server.enrol({ header: { typ: 'x' } }))).toBe('rate_limited');
    expect(await codeOf(() => server.enrol({}, '203.0.113.6'))).toBe('accepted');
    server.clock.advance(60);
    expect(await codeOf(() => server.enrol())).toBe('accepted');
  });

  it('hold for challenges', async () => {
    const { service, settings } = new Enrolments({}, { enrolmentsPerMinute: 1, challengesPerMinute: 2 });
    expect(() => settings.challenges.check(service.issueChallenge('a'), 'enrol', NOW)).not.toThrow();
    service.issueChallenge('a');
    expect(await codeOf(() => service.issueChallenge('a'))).toBe('rate_limited');
    expect(await codeOf(() => service.issueChallenge('b'))).toBe('accepted');
  });
});
