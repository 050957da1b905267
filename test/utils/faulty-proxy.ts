import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ServiceAddress } from './services.js';

/** What a client sent, or the server answered, at one time. */
type Octets = Buffer;

/** What is done with requests that a fault is about. */
export type Fault =
  /** They reach the server, and the answers reach nobody. */
  | 'swallow answers'
  /** They do not reach the server, and nobody is told. */
  | 'swallow requests'
  /** They do not reach the server, and the connection ends. */
  | 'cut'
  /** They do not reach the server, and these octets are the answer. */
  | { readonly answer: string };

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** Set on a connection that was hit: it stays so for ever, like one that a network has lost. */
  deaf: boolean;
}

/** A way to a service on which what may happen in a network happens, when a test says so. */
export class FaultyProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #fault: { readonly what: Fault; readonly about: (request: Octets) => boolean } | undefined;
  #hit: () => void = () => undefined;
  #open = true;
  /** How many requests a fault was done to. */
  hits = 0;

  constructor(target: ServiceAddress) {
    this.#server = createServer((near) => {
      if (!this.#open) return void near.destroy();
      const pair: Pair = { near, far: connect(target), deaf: false };
      this.#pairs.add(pair);
      near.on('data', (chunk) => this.#request(pair, chunk));
      pair.far.on('data', (chunk) => void (pair.deaf || near.write(chunk)));
      for (const socket of [near, pair.far]) {
        socket.setNoDelay(true).on('error', () => undefined);
        socket.on('close', () => this.#end(pair));
      }
    });
  }

  async listen(): Promise<ServiceAddress> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this.address;
  }

  get address(): ServiceAddress {
    return { host: '127.0.0.1', port: (this.#server.address() as { port: number }).port };
  }

  /**
   * Does this to every request from now on that contains `text` (any, unless said otherwise), until `heal`. A connection on
   * which something was swallowed stays lost after that.
   *
   * @returns when the first request has been hit
   */
  inject(what: Fault, text = ''): Promise<void> {
    const hit = new Promise<void>((resolve) => (this.#hit = resolve));
    this.#fault = { what, about: (request) => request.includes(text) };
    return hit;
  }

  /** Lets everything through again. */
  heal(): void {
    this.#fault = undefined;
    this.#open = true;
  }

  /** Ends all connections that there are. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair);
  }

  /** Ends all connections, and every new one at once. */
  refuse(): void {
    this.#open = false;
    this.cut();
  }

  async close(): Promise<void> {
    this.refuse();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #request(pair: Pair, chunk: Octets): void {
    const fault = this.#fault;
    if (!fault?.about(chunk)) return void (pair.deaf || pair.far.write(chunk));
    const { what } = fault;
    this.hits += 1;
    if (what === 'cut') this.#end(pair);
    else if (what === 'swallow requests') pair.deaf = true;
    else if (what === 'swallow answers') {
      pair.deaf = true;
      pair.far.write(chunk);
    } else pair.near.write(what.answer);
    this.#hit();
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.near.destroy();
    pair.far.destroy();
  }
}
