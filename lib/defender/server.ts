import { discard, refusalOf } from './answer.js';
import type { Api } from './api.js';
import { DefenderError } from './defender-error.js';
import { Enroller } from './enrolment.js';
import { Link, type Shared } from './link.js';
import type { OutgoingRequest } from './outgoing-request.js';
import { ProofKeySlot } from './proof-key-slot.js';
import { Sender } from './sender.js';

/** One server with all that serves it. */
export class Server {
  readonly link: Link;
  readonly enroller: Enroller;
  readonly sender: Sender;
  readonly proofKeys: ProofKeySlot;
  readonly #prefix: string;

  constructor(api: Api, shared: Shared) {
    this.link = new Link(api, shared);
    this.enroller = new Enroller(shared, this.link);
    const signedAside = { reenrol: false, signed: true, aside: true };
    this.proofKeys = new ProofKeySlot(shared, this.link, (request) => this.sender.send(request, signedAside));
    this.sender = new Sender(shared, this.link, this.enroller, this.proofKeys);
    this.#prefix = shared.options.prefix;
  }

  /** Retires the key here, where it is enrolled. @throws DefenderError `retire_refused`, `unreachable` */
  async retire(): Promise<void> {
    if (this.link.state.enrolledAt === undefined) return;
    const url = new URL(`${this.link.api.base}${this.#prefix}/instances/self`);
    const init: RequestInit = { credentials: 'omit', redirect: 'manual' };
    const request: OutgoingRequest = { url, method: 'DELETE', headers: new Headers(), init };
    const response = await this.sender.send(request, { reenrol: false, signed: true });
    discard(response);
    const facts = refusalOf(response);
    const { status, tabError } = facts;
    // A key that the server does not know, or has revoked, cannot be retired any further.
    if (status === 204 || tabError === 'unknown_instance' || tabError === 'instance_revoked') return;
    throw new DefenderError('retire_refused', `The server did not retire the key: status ${status}`, facts);
  }
}
