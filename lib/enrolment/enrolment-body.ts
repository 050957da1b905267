import { TabError } from '../errors/tab-error.js';
import type { AppClaim } from '../token/claims.types.js';
import { readApp } from '../token/claims.js';
import { isJsonObject, isNestedWithin, parseJsonObject, type JsonObject } from '../token/json.js';
import type { RequestContent } from '../token/request.js';

/** Largest enrolment body, in octets. */
export const ENROLMENT_MAX_OCTETS = 32 * 1024;
const MAX_NESTING = 16;
const FORMAT = /^[a-z0-9-]{1,64}$/;
const PLATFORM = /^[a-z0-9-]{1,32}$/;

/** The body of an enrolment, of the right shape and not yet believed. */
export interface EnrolmentBody {
  readonly app: AppClaim & { readonly platform: string };
  readonly format: string;
  readonly statement: unknown;
}

function rejected(detail: string): TabError {
  return new TabError('attestation_rejected', detail);
}

function readBodyApp(body: JsonObject): EnrolmentBody['app'] {
  const { app } = body;
  if (!isJsonObject(app) || typeof app.platform !== 'string' || !PLATFORM.test(app.platform))
    throw rejected('body: app is ill-typed');
  try {
    return { ...readApp(app), platform: app.platform };
  } catch (cause) {
    throw new TabError('attestation_rejected', 'body: app is ill-typed', { cause });
  }
}

/** Reads an enrolment body within its limits: 32 KiB, nested at most 16 deep. Statements are for their attesters to read. */
export function readEnrolmentBody(content: RequestContent): EnrolmentBody {
  if (content.kind !== 'octets') throw new TabError('request_mismatch', 'the octets of the body are not available');
  if (content.octets.length > ENROLMENT_MAX_OCTETS) throw rejected('body is too large');
  const body = parseJsonObject(content.octets);
  if (body === undefined) throw rejected('body is not a JSON object');
  if (!isNestedWithin(body, MAX_NESTING)) throw rejected('body is nested too deep');
  const { attestation } = body;
  if (!isJsonObject(attestation) || typeof attestation.format !== 'string' || !FORMAT.test(attestation.format)) {
    throw rejected('body: attestation is ill-typed');
  }
  return { app: readBodyApp(body), format: attestation.format, statement: attestation.statement };
}
