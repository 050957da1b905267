import { describe, expect, it } from 'vitest';
import { readClaims } from '../../../lib/token/claims.js';
import { checkCredentialHash, findCredential } from '../../../lib/token/credential.js';
import { HeaderFields } from '../../../lib/token/request.js';
import { someClaims, thrownBy } from '../../utils/core/index.js';

/** b64u(SHA-256("access-token")), by OpenSSL. */
const HASH = 'Pxa-1wifRlPl7yG_0oJNfzqq7MelmOfonFgOFgapzFI';
const find = (raw: string[], cookie?: string) => findCredential(new HeaderFields(raw), cookie);

describe('finding the credential', () => {
  it.each([
    ['what follows the scheme', ['Authorization', 'Bearer access-token'], 'access-token'],
    ['any scheme', ['authorization', 'DPoP access-token'], 'access-token'],
    ['an unknown scheme', ['Authorization', "x-!#$%&'*+.^_`|~9 t"], 't'],
    ['after several spaces', ['Authorization', 'Bearer   access-token'], 'access-token'],
    ['with spaces and commas inside', ['Authorization', 'Digest a="b", c="d e"'], 'a="b", c="d e"'],
    ['Basic', ['Authorization', 'Basic dXNlcjpwdw=='], 'dXNlcjpwdw=='],
  ])('takes %s', (_what, raw, value) => expect(find(raw)?.value).toBe(value));

  it('hashes it', () => expect(find(['Authorization', 'Bearer access-token'])?.hash).toBe(HASH));

  it.each([
    ['no header', []],
    ['an empty Authorization', ['Authorization', '']],
    ['a cookie that is not configured', ['Cookie', 'session=access-token']],
  ])('finds none in %s', (_what, raw) => expect(find(raw)).toBeUndefined());

  it.each([
    ['two Authorization headers', ['Authorization', 'Bearer a', 'Authorization', 'Bearer a']],
    ['two in different case', ['Authorization', 'Bearer a', 'AUTHORIZATION', 'Basic b']],
    ['two of which one is empty', ['Authorization', '', 'Authorization', 'Bearer b']],
    ['no scheme', ['Authorization', 'access-token']],
    ['a scheme alone', ['Authorization', 'Bearer']],
    ['a scheme and a space', ['Authorization', 'Bearer ']],
    ['a tab for the space', ['Authorization', 'Bearer\taccess-token']],
    ['a space in front', ['Authorization', ' Bearer access-token']],
    ['a scheme with a colon', ['Authorization', 'Bearer: access-token']],
  ])('refuses %s', (_what, raw) => expect(thrownBy(() => find(raw))).toBe('request_mismatch'));
});

describe('finding the credential in a cookie', () => {
  const cookie = (...values: string[]) =>
    find(
      values.flatMap((value) => ['Cookie', value]),
      'session',
    );

  it.each([
    [['session=access-token']],
    [['a=b; session=access-token; c=d']],
    [['a=b;session=access-token']],
    [['a=b', 'session=access-token']],
    [['xsession=1; session=access-token; sessionx=2; Session=3']],
    [['session; session=access-token']],
  ])('in %j', (values) => expect(cookie(...values)).toEqual({ value: 'access-token', hash: HASH }));

  it.each([
    ['with equals signs', ['session=a=b=='], 'a=b=='],
    ['quoted, quotes included', ['session="a"'], '"a"'],
    ['percent-encoded, not decoded', ['session=a%20b'], 'a%20b'],
  ])('takes the raw value %s', (_what, values, value) => expect(cookie(...values)?.value).toBe(value));

  it.each([[[]], [['']], [['session']], [['session=']], [['SESSION=a']], [['a=session=b']], [['__proto__=a']]])(
    'finds none in %j',
    (values) => expect(cookie(...values)).toBeUndefined(),
  );

  it.each([
    ['the cookie twice', ['session=a; session=b']],
    ['the cookie twice, equal', ['session=a; session=a']],
    ['the cookie in two headers', ['session=a', 'session=b']],
    ['the cookie twice, once empty', ['session=; session=b']],
  ])('refuses %s', (_what, values) => expect(thrownBy(() => cookie(...values))).toBe('request_mismatch'));

  it('refuses cookie and Authorization together, and takes either alone', () => {
    const both = ['Authorization', 'Bearer access-token', 'Cookie', 'session=access-token'];
    expect(thrownBy(() => find(both, 'session'))).toBe('request_mismatch');
    expect(find(both)?.value).toBe('access-token');
    expect(find(both.slice(0, 2), 'session')?.value).toBe('access-token');
    expect(find(['Authorization', '', 'Cookie', 'session=x'], 'session')?.value).toBe('x');
  });
});

describe('ath', () => {
  const check = (ath: string | undefined, sent: boolean) => {
    const claims = readClaims(someClaims(ath === undefined ? {} : { ath }));
    return thrownBy(() =>
      checkCredentialHash(claims, sent ? find(['Authorization', 'Bearer access-token']) : undefined),
    );
  };
  it.each([
    ['right', HASH, true, 'accepted'],
    ['absent without a credential', undefined, false, 'accepted'],
    ['missing', undefined, true, 'request_mismatch'],
    ['superfluous', HASH, false, 'request_mismatch'],
    ['empty without a credential', '', false, 'request_mismatch'],
    ['of the whole header value', 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0', true, 'request_mismatch'],
    ['padded', `${HASH}=`, true, 'request_mismatch'],
    ['truncated', HASH.slice(0, -1), true, 'request_mismatch'],
  ])('%s', (_what, ath, sent, outcome) => expect(check(ath, sent)).toBe(outcome));
});
