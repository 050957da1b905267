import { decodeCborMap } from '../../attestation/apple/cbor.js';
import { isJsonObject } from '../../token/json.js';
import { inspectChain } from './android.js';
import { inspectAppleAssertion, inspectAppleAttestation } from './apple.js';
import { chainOf, formatOf, inspectBody, inspectStatement } from './body.js';
import { attempt, group, type Finding } from './finding.js';
import type { Judgement } from './judgement.js';
import { inspectJwt } from './jwt.js';

const DER_SEQUENCE = 0x30;
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
const PEM = /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g;

/** Says what some octets are, by their form, and what they say; undefined when they are nothing that is known. */
export function inspectEvidence(octets: Buffer, judgement: Judgement): Finding | undefined {
  const text = octets.toString('utf8').trim();
  if (text.startsWith('{') || text.startsWith('[')) return inspectJson(text, judgement);
  if (text.includes('-----BEGIN CERTIFICATE-----')) return inspectChain(pemChain(text), judgement);
  if (JWT.test(text)) return inspectJwt(text, judgement);
  // Without its spaces first: a pattern that lets them stand anywhere takes hours over a megabyte of them.
  const unspaced = text.replaceAll(/\s/g, '');
  if (BASE64.test(unspaced)) return inspectOctets(Buffer.from(unspaced, 'base64'), judgement);
  return inspectOctets(octets, judgement);
}

function pemChain(text: string): Buffer[] {
  return [...text.matchAll(PEM)].map(([, body = '']) => Buffer.from(body.replaceAll(/\s/g, ''), 'base64'));
}

function inspectOctets(octets: Buffer, judgement: Judgement): Finding | undefined {
  if (octets[0] === DER_SEQUENCE) return inspectChain([octets], judgement);
  const map = decodeCborMap(octets);
  if (map?.has('authenticatorData') === true) return inspectAppleAssertion(octets, judgement);
  // A text that some CBOR map of such evidence begins with, so that one cut short is told as such.
  const named = map?.has('fmt') === true || octets.subarray(0, 8).includes('fmt');
  return named ? inspectAppleAttestation(octets, judgement) : undefined;
}

function inspectJson(text: string, judgement: Judgement): Finding | undefined {
  const value = jsonOf(text);
  if (Array.isArray(value)) {
    const [ders, form] = attempt('certificates', () => chainOf(value));
    return ders === undefined ? group('certificate chain', [form]) : inspectChain(ders, judgement);
  }
  if (!isJsonObject(value)) return undefined;
  if ('attestation' in value) return inspectBody(Buffer.from(text), judgement);
  const format = formatOf(value);
  return format === undefined ? undefined : inspectStatement(format, value, judgement);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
