import { readClaims as readAttestationClaims } from '../../attestation/client-attestation/claims.js';
import { TabError } from '../../errors/tab-error.js';
import { SIGNATURE_ALGORITHMS, TAB_ALGORITHMS } from '../../token/algorithms.js';
import { readClaims } from '../../token/claims.js';
import { ENROL_TOKEN_TYPE, TOKEN_TYPE, type TabClaims } from '../../token/claims.types.js';
import { parseCompact, takeToken, type CompactToken } from '../../token/compact.js';
import { readEnrolTokenHeader, readTokenHeader } from '../../token/header.js';
import { isJsonObject, type JsonObject } from '../../token/json.js';
import { hasPrivateMembers, importPublicKey, readPublicJwk, thumbprint } from '../../token/jwk.js';
import { verifySignature } from '../../token/signature.js';
import { checkExpiry, checkIssuedAt } from '../../token/time-window.js';
import { attempt, check, fact, facts, group, same, unchecked, type Finding } from './finding.js';
import type { Judgement } from './judgement.js';

const ALGORITHMS = new Set(TAB_ALGORITHMS);
/** The defaults of a server. Seconds. */
const WINDOW = { lifetime: 60, tolerance: 5 };
const PROOF_KEY_ID = /^[A-Za-z0-9_-]{43}~[A-Za-z0-9_-]{34}$/;
const TIMES: readonly string[] = ['iat', 'nbf', 'exp', 'auth_time'];

type Inspect = (token: CompactToken, judgement: Judgement, text: string) => readonly Finding[];

/** What is known by its `typ`. */
const KINDS: ReadonlyMap<unknown, { readonly label: string; readonly inspect: Inspect }> = new Map([
  [TOKEN_TYPE, { label: 'TAB token', inspect: requestToken }],
  [ENROL_TOKEN_TYPE, { label: 'TAB enrolment token', inspect: enrolmentToken }],
  ['dpop+jwt', { label: 'DPoP proof', inspect: dpopProof }],
  ['oauth-client-attestation+jwt', { label: 'client attestation', inspect: clientAttestation }],
]);

function refuse(detail: string): never {
  throw new TabError('malformed_token', detail);
}

/** Any compact JWT: what it says, and for the kinds that are known what a server would say. */
export function inspectJwt(text: string, judgement: Judgement): Finding {
  const [token, structure] = attempt('structure', () => parseCompact(text));
  if (token === undefined) return group('JWT', [structure]);
  const { label, inspect } = KINDS.get(token.header['typ']) ?? { label: 'JWT', inspect: anyJwt };
  return group(label, [
    facts('header', token.header),
    claimFacts(token.payload),
    group('checks', [structure, ...inspect(token, judgement, text)]),
  ]);
}

function claimFacts(payload: JsonObject): Finding {
  const said = Object.entries(payload).map(([name, value]) => {
    const time = TIMES.includes(name) && typeof value === 'number' ? new Date(value * 1000) : undefined;
    return time === undefined || Number.isNaN(time.getTime())
      ? fact(name, value)
      : fact(name, `${String(value)} (${time.toISOString()})`);
  });
  return group('claims', said);
}

function seconds({ now }: Judgement): number {
  return Math.floor(now.getTime() / 1000);
}

/** What every token of ours is checked for before its key is looked up. */
function tokenChecks({ payload }: CompactToken, judgement: Judgement, text: string): Finding[] {
  const size = check('size', () => takeToken([text]));
  const [claims, form] = attempt('claims', () => readClaims(payload));
  if (claims === undefined) return [size, form];
  return [size, form, ...timeChecks(claims, judgement), ...expectations(claims, judgement)];
}

function timeChecks(claims: TabClaims, judgement: Judgement): Finding[] {
  const now = seconds(judgement);
  return [check('iat', () => checkIssuedAt(claims, now, WINDOW)), check('exp', () => checkExpiry(claims, now, WINDOW))];
}

function expectations({ nonce = 'absent', app }: TabClaims, { challenge, appId }: Judgement): Finding[] {
  return [
    challenge === undefined ? unchecked('nonce', 'needs --challenge') : same('nonce', challenge, nonce),
    appId === undefined ? unchecked('app id', 'needs --app-id') : same('app id', appId, app.id),
    unchecked('request', 'needs the request: htm, htu, qsh, bh, ct, ath, hd'),
    unchecked('replay', 'needs the used-nonce store'),
  ];
}

function requestToken(token: CompactToken, judgement: Judgement, text: string): Finding[] {
  const header = check('header', () => {
    const { alg, kid } = token.header;
    // A proof key's token: its header is that of a MAC, and its key the server's to derive.
    if (alg === 'HS256') return PROOF_KEY_ID.test(String(kid)) ? undefined : refuse('kid is not that of a proof key');
    return readTokenHeader(token.header, ALGORITHMS);
  });
  const signature = unchecked('signature', 'needs the enrolled key');
  return [
    header,
    ...tokenChecks(token, judgement, text),
    signature,
    unchecked('policy', 'needs the policy of the route'),
  ];
}

function enrolmentToken(token: CompactToken, judgement: Judgement, text: string): Finding[] {
  const header = check('header', () => readEnrolTokenHeader(token.header, ALGORITHMS));
  return [header, ...tokenChecks(token, judgement, text), ...ownKeyChecks(token)];
}

/** The signature by the key that the token itself names. */
function ownKeyChecks({ header, signingInput, signature }: CompactToken): Finding[] {
  const [jwk, form] = attempt('key', () =>
    readPublicJwk(isJsonObject(header['jwk']) ? header['jwk'] : refuse('no jwk')),
  );
  if (jwk === undefined) return [form];
  const verified = check('signature', () => {
    const alg = TAB_ALGORITHMS.find((name) => name === header['alg']) ?? refuse('alg is not one of ours');
    if (!SIGNATURE_ALGORITHMS[alg].accepts(jwk)) refuse('alg is not for this type of key');
    if (!verifySignature({ alg, key: importPublicKey(jwk) }, signingInput, signature))
      throw new TabError('bad_signature', 'signature does not verify');
  });
  return [form, fact('thumbprint', thumbprint(jwk)), verified];
}

/** RFC 9449 section 4.3, as far as the proof alone tells. */
function dpopProof(token: CompactToken, judgement: Judgement): Finding[] {
  const { jti, htm, htu, iat } = token.payload;
  const texts = check('claims', () => {
    if (![jti, htm, htu].every((claim) => typeof claim === 'string')) refuse('jti, htm or htu is missing or ill-typed');
    if (typeof iat !== 'number') refuse('iat is missing or ill-typed');
  });
  const age = check('iat', () => {
    const skew = seconds(judgement) - Number(iat);
    if (!(skew >= -WINDOW.tolerance && skew <= WINDOW.lifetime + WINDOW.tolerance))
      refuse('iat is too old or in the future');
  });
  const binding = unchecked('request and access token', 'needs the request: htm, htu, ath');
  return [texts, age, ...ownKeyChecks(token), binding, unchecked('replay', 'needs the used-nonce store')];
}

function clientAttestation({ payload }: CompactToken, judgement: Judgement): Finding[] {
  const [claims, form] = attempt('claims', () => readAttestationClaims(payload));
  const signature = unchecked('signature', "needs the issuer's keys");
  if (claims === undefined) return [form, signature];
  const { appId } = judgement;
  return [
    form,
    check('confirmation', () => {
      if (hasPrivateMembers(claims.confirmationKey)) refuse('cnf.jwk has private members');
      readPublicJwk(claims.confirmationKey);
    }),
    lifeCheck(payload, judgement),
    appId === undefined ? unchecked('subject', 'needs --app-id') : same('subject', appId, claims.sub),
    unchecked('instance key', 'needs the enrolment token'),
    signature,
  ];
}

function anyJwt({ payload }: CompactToken, judgement: Judgement): Finding[] {
  return [lifeCheck(payload, judgement), unchecked('everything else', 'not a kind that is known by its typ')];
}

function lifeCheck({ exp, nbf }: JsonObject, judgement: Judgement): Finding {
  const now = seconds(judgement);
  return check('time', () => {
    if (typeof exp === 'number' && Math.floor(exp) <= now) refuse('expired');
    if (typeof nbf === 'number' && nbf > now + WINDOW.tolerance) refuse('not valid yet');
  });
}
