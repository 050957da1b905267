import { describe, expect, it } from 'vitest';
import type { TabAlgorithm } from '../../../lib/token/claims.types.js';
import { parseCompact } from '../../../lib/token/compact.js';
import { instanceIdOf, readEnrolTokenHeader, readTokenHeader } from '../../../lib/token/header.js';
import { aKey, aProofKey, b64u, NOW, SECRET, thrownBy, type Members } from '../../utils/core/index.js';

const ALL: ReadonlySet<TabAlgorithm> = new Set<TabAlgorithm>(['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256']);
const KID = 'k'.repeat(43);

function without(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
const read = (change: Members = {}, allowed = ALL) =>
  readTokenHeader(without({ typ: 'tab+jwt', alg: 'ES256', kid: KID, ...change }), allowed);
const readEnrol = (change: Members = {}, allowed = ALL) =>
  readEnrolTokenHeader(without({ typ: 'tab-enroll+jwt', alg: 'ES256', jwk: aKey().jwk, ...change }), allowed);

describe('the header of a request token', () => {
  it('is read', () => expect(read()).toEqual({ alg: 'ES256', kid: KID }));

  it.each([
    'tab+JWT',
    'TAB+jwt',
    'application/tab+jwt',
    'tab-enroll+jwt',
    'JWT',
    'jwt',
    'dpop+jwt',
    ' tab+jwt',
    'tab+jwt ',
    '',
    undefined,
    null,
    1,
    ['tab+jwt'],
  ])('refuses typ %j', (typ) => expect(thrownBy(() => read({ typ }))).toBe('malformed_token'));

  it.each(['jwk', 'jku', 'x5c', 'x5u', 'crit', 'b64'])('refuses the member %s, whatever its value', (member) => {
    for (const value of [null, false, '', [], {}, 'x', true]) {
      expect(
        thrownBy(() => read({ [member]: value })),
        JSON.stringify(value),
      ).toBe('malformed_token');
    }
  });

  it('ignores other members', () => {
    expect(read({ cty: 'x', x5t: 'x', zip: 'DEF', nonce: 'n', JKU: 'x', Crit: ['x'], constructor: 'x' })).toEqual({
      alg: 'ES256',
      kid: KID,
    });
  });

  it.each([
    ['ES256', 'ES256'],
    ['ES384', 'ES384'],
    ['EdDSA', 'EdDSA'],
    ['Ed25519', 'EdDSA'],
    ['PS256', 'PS256'],
    ['RS256', 'RS256'],
  ])('takes alg %s where configured', (alg, meaning) => expect(read({ alg }).alg).toBe(meaning));

  it.each(['ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256'])('refuses alg %s where not configured', (alg) =>
    expect(thrownBy(() => read({ alg }, new Set<TabAlgorithm>(['ES256'])))).toBe('unsupported_alg'),
  );

  it.each([
    'none',
    'None',
    'NONE',
    'nOnE',
    '',
    'HS256',
    'HS384',
    'es256',
    'Es256',
    'ES256 ',
    ' ES256',
    'ES512',
    'ES256K',
    'Ed448',
    'eddsa',
    'RS512',
    'PS512',
    'RSA-OAEP',
    'toString',
    '__proto__',
    'constructor',
  ])('refuses alg %j', (alg) => expect(thrownBy(() => read({ alg }))).toBe('unsupported_alg'));

  it.each([undefined, null, 0, true, ['ES256'], { alg: 'ES256' }])('refuses alg %j as malformed', (alg) =>
    expect(thrownBy(() => read({ alg }))).toBe('malformed_token'),
  );

  it.each([
    ['absent', undefined],
    ['null', null],
    ['a number', 1],
    ['an array', [KID]],
    ['empty', ''],
    ['42 characters', 'k'.repeat(42)],
    ['44 characters', 'k'.repeat(44)],
    ['78 characters with a tilde, as of a proof key', `${KID}~${'r'.repeat(34)}`],
    ['of plain base64', `${'k'.repeat(42)}+`],
    ['padded', `${'k'.repeat(42)}=`],
    ['with a dot', `${'k'.repeat(42)}.`],
    ['with a line break', `${'k'.repeat(42)}\n`],
  ])('refuses a kid that is %s', (_what, kid) => expect(thrownBy(() => read({ kid }))).toBe('malformed_token'));

  it('lets the last of duplicate members count', () => {
    const header = (text: string) => parseCompact(`${b64u(text)}.${b64u('{}')}.AQ`).header;
    const good = `"typ":"tab+jwt","alg":"ES256","kid":"${KID}"`;
    expect(readTokenHeader(header(`{"typ":"JWT","alg":"none",${good}}`), ALL)).toEqual({ alg: 'ES256', kid: KID });
    expect(thrownBy(() => readTokenHeader(header(`{${good},"alg":"none"}`), ALL))).toBe('unsupported_alg');
    expect(thrownBy(() => readTokenHeader(header(`{${good},"typ":"JWT"}`), ALL))).toBe('malformed_token');
    expect(thrownBy(() => readTokenHeader(header(`{${good},"crit":["x"],"crit":[]}`), ALL))).toBe('malformed_token');
  });
});

describe('the header of a request token, where proof keys are taken', () => {
  const proofKid = aProofKey({ secret: SECRET, instanceId: aKey().id, exp: NOW + 300 }).kid;
  const readAny = (change: Members = {}, allowed = ALL) =>
    readTokenHeader(without({ typ: 'tab+jwt', alg: 'ES256', kid: KID, ...change }), allowed, true);

  it('is read, and names its instance', () => {
    const header = readAny({ alg: 'HS256', kid: proofKid });
    expect(header).toMatchObject({ alg: 'HS256', kid: proofKid, proofKey: { expiresAt: NOW + 300 } });
    expect([instanceIdOf(header), instanceIdOf(readAny())]).toEqual([aKey().id, KID]);
    // What is configured for instance keys says nothing of MACs.
    expect(readAny({ alg: 'HS256', kid: proofKid }, new Set(['ES256']))).toEqual(header);
  });

  it.each([
    ['HS256 under an instance id', { alg: 'HS256' }, 'unsupported_alg'],
    ['HS256 under no id', { alg: 'HS256', kid: 'x' }, 'malformed_token'],
    ['HS256 without an id', { alg: 'HS256', kid: undefined }, 'malformed_token'],
    ['HS256 under an id that is nearly one', { alg: 'HS256', kid: `${KID}~${'r'.repeat(34)}` }, 'malformed_token'],
    ['a signature under a proof key', { kid: proofKid }, 'unsupported_alg'],
    ['none under a proof key', { alg: 'none', kid: proofKid }, 'unsupported_alg'],
    ['HS512 under a proof key', { alg: 'HS512', kid: proofKid }, 'unsupported_alg'],
    ['hs256 under a proof key', { alg: 'hs256', kid: proofKid }, 'unsupported_alg'],
    ['no algorithm under a proof key', { alg: undefined, kid: proofKid }, 'malformed_token'],
    ['another type', { alg: 'HS256', kid: proofKid, typ: 'tab-enroll+jwt' }, 'malformed_token'],
    ['a key of its own', { alg: 'HS256', kid: proofKid, jwk: { kty: 'oct', k: 'AA' } }, 'malformed_token'],
    ['critical members', { alg: 'HS256', kid: proofKid, crit: ['x'] }, 'malformed_token'],
    ['an instance id that is none', { kid: 'x' }, 'malformed_token'],
  ] as const)('refuses %s', (_what, change, code) => expect(thrownBy(() => readAny(change))).toBe(code));

  it('is refused where they are not', () => {
    expect(thrownBy(() => read({ alg: 'HS256', kid: proofKid }))).toBe('unsupported_alg');
    expect(thrownBy(() => read({ kid: proofKid }))).toBe('malformed_token');
  });

  it('is never that of an enrolment', () => {
    expect(thrownBy(() => readEnrol({ alg: 'HS256' }))).toBe('unsupported_alg');
    expect(thrownBy(() => readEnrol({ alg: 'HS256', kid: proofKid }))).toBe('unsupported_alg');
  });
});

describe('the header of an enrolment token', () => {
  it('is read', () => expect(readEnrol()).toEqual({ alg: 'ES256', jwk: aKey().jwk }));
  it('needs no kid and ignores one', () => expect(readEnrol({ kid: 5 }).alg).toBe('ES256'));

  it.each(['tab+jwt', 'tab-enroll+JWT', 'JWT', '', undefined])('refuses typ %j', (typ) =>
    expect(thrownBy(() => readEnrol({ typ }))).toBe('malformed_token'),
  );
  it.each(['jku', 'x5c', 'x5u', 'crit', 'b64'])('refuses the member %s', (member) =>
    expect(thrownBy(() => readEnrol({ [member]: [] }))).toBe('malformed_token'),
  );
  it.each([undefined, null, 'x', [], 1])('refuses jwk %j', (jwk) =>
    expect(thrownBy(() => readEnrol({ jwk }))).toBe('malformed_token'),
  );
  it.each(['none', 'HS256', 'es256'])('refuses alg %s', (alg) =>
    expect(thrownBy(() => readEnrol({ alg }))).toBe('unsupported_alg'),
  );
});
