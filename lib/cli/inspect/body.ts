import { readEnrolmentBody } from '../../enrolment/enrolment-body.js';
import { readStatement } from '../../attestation/apple/statement.js';
import { decodeBase64 } from '../../attestation/x509/base64.js';
import { TabError } from '../../errors/tab-error.js';
import { isJsonObject, type JsonObject } from '../../token/json.js';
import { inspectChain } from './android.js';
import { inspectAppleAssertion, inspectAppleAttestation } from './apple.js';
import { attempt, facts, group, same, unchecked, type Finding } from './finding.js';
import type { Judgement } from './judgement.js';
import { inspectJwt } from './jwt.js';

/** Formats whose statement is one token. */
const TOKEN_MEMBERS: Readonly<Record<string, string>> = {
  'client-attestation': 'jwt',
  jwt: 'jwt',
  'play-integrity': 'token',
  'firebase-app-check': 'token',
  approov: 'token',
};
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** The body of an enrolment. */
export function inspectBody(octets: Uint8Array, judgement: Judgement): Finding {
  const content = { kind: 'octets', octets: Buffer.from(octets) } as const;
  const [body, structure] = attempt('structure', () => readEnrolmentBody(content));
  if (body === undefined) return group('enrolment body', [structure]);
  const { app, format, statement } = body;
  const { appId, ...rest } = judgement;
  // An App ID of Apple's has a team; whatever has none is the app id of the enrolment.
  const ofApple = format === 'apple-appattest';
  const named = appId === undefined || ofApple ? [] : [same('app id', appId, app.id)];
  return group('enrolment body', [
    structure,
    facts('app', app),
    ...named,
    inspectStatement(format, statement, { ...rest, appId: ofApple ? appId : app.id }),
  ]);
}

/** The statement of one format. */
export function inspectStatement(format: string, statement: unknown, judgement: Judgement): Finding {
  if (format === 'android-key') return androidStatement(statement, judgement);
  if (format === 'apple-appattest') return appleStatement(statement, judgement);
  if (format === 'none') return group('no attestation', [unchecked('app', 'whether it may go without is configured')]);
  const member = TOKEN_MEMBERS[format];
  const token = member !== undefined && isJsonObject(statement) ? statement[member] : undefined;
  if (typeof token === 'string' && JWT.test(token)) return group(format, [inspectJwt(token, judgement)]);
  return group(format, [unchecked('statement', "needs the format's own verifier")]);
}

function androidStatement(statement: unknown, judgement: Judgement): Finding {
  const [ders, form] = attempt('statement', () => chainOf(isJsonObject(statement) ? statement['x5c'] : undefined));
  return ders === undefined ? group('android-key', [form]) : inspectChain(ders, judgement);
}

function appleStatement(statement: unknown, judgement: Judgement): Finding {
  const [read, form] = attempt('statement', () => readStatement(statement));
  if (read === undefined) return group('apple-appattest', [form]);
  const { keyId } = read;
  return read.kind === 'attestation'
    ? inspectAppleAttestation(read.attestationObject, { ...judgement, keyId: judgement.keyId ?? keyId })
    : inspectAppleAssertion(read.assertion, judgement);
}

/** The certificates of an `x5c`. @throws TabError */
export function chainOf(x5c: unknown): Buffer[] {
  const refuse = (detail: string) => new TabError('attestation_rejected', `statement: ${detail}`);
  if (!Array.isArray(x5c) || x5c.length === 0) throw refuse('x5c is not a list of certificates');
  return x5c.map((text: unknown) => {
    const der = typeof text === 'string' ? decodeBase64(text) : undefined;
    if (der === undefined) throw refuse('x5c has an entry that is not canonical base64');
    return der;
  });
}

/** The format that a bare statement is of, by its members; undefined when it is none. */
export function formatOf(statement: JsonObject): string | undefined {
  if ('x5c' in statement) return 'android-key';
  if ('attestationObject' in statement || 'assertion' in statement) return 'apple-appattest';
  return 'jwt' in statement ? 'jwt' : undefined;
}
