import { TabError } from '../errors/tab-error.js';
import type { AppClaim, TabClaims } from './claims.types.js';
import { readEvidence } from './evidence.js';
import { isJsonObject, type JsonObject } from './json.js';
import { isSemVer } from './version.js';

const JTI = /^[A-Za-z0-9_-]{22,64}$/;
const APP_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const LOWER_CASE_FIELD_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/;

function illTyped(claim: string): TabError {
  return new TabError('malformed_token', `claim ${claim} is missing or ill-typed`);
}

/** Reads a time: an integer of seconds since the epoch, 0 to 2^53−1. */
export function readTime(value: unknown, claim: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw illTyped(claim);
  return value as number;
}

function readString(value: unknown, claim: string): string {
  if (typeof value !== 'string') throw illTyped(claim);
  return value;
}

function readOptionalString(payload: JsonObject, claim: string): string | undefined {
  return Object.hasOwn(payload, claim) ? readString(payload[claim], claim) : undefined;
}

function readMatching(value: unknown, pattern: RegExp, claim: string): string {
  const text = readString(value, claim);
  if (!pattern.test(text)) throw illTyped(claim);
  return text;
}

/** Whether a text can be an app id: 1–128 of `A–Z a–z 0–9 . _ : -`. */
export function isAppId(text: string): boolean {
  return APP_ID.test(text);
}

/** Reads `{ id, ver }`: an app id and a SemVer 2.0.0 version. */
export function readApp(value: unknown): AppClaim {
  if (!isJsonObject(value)) throw illTyped('app');
  const id = readMatching(value.id, APP_ID, 'app.id');
  const ver = readString(value.ver, 'app.ver');
  if (!isSemVer(ver)) throw illTyped('app.ver');
  return { id, ver };
}

function readHeaderDigests(payload: JsonObject): Record<string, string> | undefined {
  if (!Object.hasOwn(payload, 'hd')) return undefined;
  const { hd } = payload;
  if (!isJsonObject(hd)) throw illTyped('hd');
  for (const [name, digest] of Object.entries(hd)) {
    if (!LOWER_CASE_FIELD_NAME.test(name) || typeof digest !== 'string') throw illTyped('hd');
  }
  return hd as Record<string, string>;
}

/** Reads the claims of a token. Types and forms only: whether they are true is for later steps. Unknown claims are ignored. */
export function readClaims(payload: JsonObject): TabClaims {
  const iat = readTime(payload.iat, 'iat');
  return {
    jti: readMatching(payload.jti, JTI, 'jti'),
    iat,
    exp: Object.hasOwn(payload, 'exp') ? readTime(payload.exp, 'exp') : undefined,
    nonce: readOptionalString(payload, 'nonce'),
    htm: readString(payload.htm, 'htm'),
    htu: readString(payload.htu, 'htu'),
    qsh: readOptionalString(payload, 'qsh'),
    bh: readOptionalString(payload, 'bh'),
    ct: readOptionalString(payload, 'ct'),
    ath: readOptionalString(payload, 'ath'),
    sid: readOptionalString(payload, 'sid'),
    hd: readHeaderDigests(payload),
    app: readApp(payload.app),
    rt: readEvidence(payload.rt, iat),
  };
}
