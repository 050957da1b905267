import { describe, expect, it } from 'vitest';
import { readEnrolmentBody } from '../../../lib/enrolment/enrolment-body.js';
import { aKey, codeOf, thrownBy } from '../../utils/core/index.js';
import { Enrolments } from './attempt.js';

const good = {
  app: { id: 'com.example.app', ver: '1.4.0', platform: 'android' },
  attestation: { format: 'fake', statement: 1 },
};
const read = (body: unknown) =>
  readEnrolmentBody({ kind: 'octets', octets: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) });
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

describe('the body of an enrolment', () => {
  it('is read, statements as they are', () => {
    expect(read({ ...good, extra: 1 })).toEqual({ app: good.app, format: 'fake', statement: 1 });
    expect(read({ ...good, attestation: { format: 'none' } }).statement).toBeUndefined();
  });

  it.each([
    ['no JSON', '{'],
    ['an array', []],
    ['null', 'null'],
    ['empty', ''],
    ['no app', { ...good, app: undefined }],
    ['an app that is a string', { ...good, app: 'x' }],
    ['no platform', { ...good, app: { ...good.app, platform: undefined } }],
    ['a platform in upper case', { ...good, app: { ...good.app, platform: 'Android' } }],
    ['an empty platform', { ...good, app: { ...good.app, platform: '' } }],
    ['a long platform', { ...good, app: { ...good.app, platform: 'a'.repeat(33) } }],
    ['no app id', { ...good, app: { ...good.app, id: undefined } }],
    ['a bad version', { ...good, app: { ...good.app, ver: '1' } }],
    ['no attestation', { ...good, attestation: undefined }],
    ['an attestation that is null', { ...good, attestation: null }],
    ['no format', { ...good, attestation: {} }],
    ['a format in upper case', { ...good, attestation: { format: 'None' } }],
    ['a format that is a number', { ...good, attestation: { format: 1 } }],
    ['a long format', { ...good, attestation: { format: 'a'.repeat(65) } }],
  ])('refuses %s', (_what, body) => expect(thrownBy(() => read(body))).toBe('attestation_rejected'));

  it('refuses octets that are no UTF-8', () => {
    const octets = Buffer.from(JSON.stringify(good).replace('android', 'andr\u00ffid'), 'latin1');
    expect(thrownBy(() => readEnrolmentBody({ kind: 'octets', octets }))).toBe('attestation_rejected');
  });

  it('takes 32 KiB and not one octet more', () => {
    const padded = (octets: number) => JSON.stringify(good).padEnd(octets, ' ');
    expect(thrownBy(() => read(padded(32_768)))).toBe('accepted');
    expect(thrownBy(() => read(padded(32_769)))).toBe('attestation_rejected');
  });

  it('takes nesting of 16 and not of 17', () => {
    const body = (depth: number) => ({ ...good, attestation: { format: 'fake', statement: nested(depth) } });
    expect(thrownBy(() => read(body(14)))).toBe('accepted');
    expect(thrownBy(() => read(body(15)))).toBe('attestation_rejected');
    expect(thrownBy(() => read(`{"a":${'['.repeat(15_000)}${']'.repeat(15_000)}}`))).toBe('attestation_rejected');
  });

  it.each([{ kind: 'none' }, { kind: 'unavailable' }] as const)('is not $kind', (content) =>
    expect(thrownBy(() => readEnrolmentBody(content))).toBe('request_mismatch'),
  );

  it('is refused before the time, the target and the challenge are looked at', async () => {
    const server = new Enrolments();
    const outcome = await codeOf(() =>
      server.enrol({ raw: '{}', claims: { htu: 'https://evil.example/', nonce: 'x' }, key: aKey() }),
    );
    expect(outcome).toBe('attestation_rejected');
  });
});
