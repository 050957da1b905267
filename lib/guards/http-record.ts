import type { IncomingMessage } from 'node:http';
import { Attachment } from '../token/attachment.js';
import type { TabRequest } from '../token/request.js';
import type { TrustContext } from '../trust/trust-context.js';
import type { HttpReply } from './http-exchange.js';

/** Method and target as they came off the wire. */
export interface WireLine {
  readonly method: string;
  readonly target: string;
}

/** What is known of one HTTP request, put here by whoever finds it out. */
export interface HttpRecord {
  wire: WireLine | undefined;
  reply: HttpReply | undefined;
  tabRequest: TabRequest | undefined;
  context: TrustContext | undefined;
}

/** One record for everything, made once for each request. */
const records = new Attachment<IncomingMessage, HttpRecord>();

/** The record of a Node request; always the same object for the same request, and never that of a copy of it. */
export function recordOf(raw: IncomingMessage): HttpRecord {
  let record = records.get(raw);
  if (record === undefined) {
    record = { wire: undefined, reply: undefined, tabRequest: undefined, context: undefined };
    records.set(raw, record);
  }
  return record;
}
