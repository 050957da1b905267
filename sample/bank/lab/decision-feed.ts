import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Response } from 'express';
import { TabDecisions, type TrustDecision } from 'nestjs-tab';
import { feedEntryOf } from './feed-entry.js';
import { LAB_SETTINGS, type LabSettings } from './lab-settings.js';

/** Decisions that a listener is told of first. */
const RECENT = 50;
const MAX_LISTENERS = 20;
const MAX_PER_ADDRESS = 4;
/** Milliseconds for which those who come share one look at the latest. */
const SHARED_MS = 1000;
const HEARTBEAT = 15_000;
/** Octets that may wait for a listener who does not read; whoever leaves more is let go. */
const MAX_WAITING = 262_144;

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  // Proxies that collect an answer before they pass it on would never pass this one on.
  'X-Accel-Buffering': 'no',
};

/** The latest decisions as they were looked up once, and those made since. */
interface Recent {
  readonly at: number;
  readonly list: Promise<readonly TrustDecision[]>;
  readonly since: TrustDecision[];
}

/** Tells browsers of decisions as they are made, as server-sent events. */
@Injectable()
export class DecisionFeed implements OnModuleInit, OnModuleDestroy {
  readonly #decisions: TabDecisions;
  readonly #settings: LabSettings;
  /** What ends each listener, with the address that it listens from. */
  readonly #listeners = new Map<() => void, string>();
  #recent?: Recent;
  #noting?: { unsubscribe(): void };

  constructor(decisions: TabDecisions, @Inject(LAB_SETTINGS) settings: LabSettings) {
    this.#decisions = decisions;
    this.#settings = settings;
  }

  /** Whether one more may listen from this address. */
  hasRoom(address: string): boolean {
    const { maxListeners = MAX_LISTENERS, maxPerAddress = MAX_PER_ADDRESS } = this.#settings;
    const own = [...this.#listeners.values()].filter((each) => each === address);
    return this.#listeners.size < maxListeners && own.length < maxPerAddress;
  }

  /** Those who listen now. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Answers with the latest decisions, oldest first, and with every later one, until the browser goes. */
  async tell(response: Response, address: string): Promise<void> {
    // What is decided while the latest are looked up waits, so that nothing is missed or told out of order.
    const waiting: TrustDecision[] = [];
    const write = (decision: TrustDecision) => send(response, decision);
    let receive = (decision: TrustDecision): void => void waiting.push(decision);
    const subscription = this.#decisions.stream.subscribe((decision) => receive(decision));
    const heartbeat = setInterval(() => push(response, ': still here\n\n'), this.#settings.heartbeat ?? HEARTBEAT);
    const end = () => {
      if (!this.#listeners.delete(end)) return;
      clearInterval(heartbeat);
      subscription.unsubscribe();
      response.end();
    };
    this.#listeners.set(end, address);
    response.on('close', end).on('error', end);
    response.writeHead(200, HEADERS).write('retry: 3000\n\n');
    const { list, since } = this.#latest();
    const all = [...(await list).toReversed(), ...since, ...waiting];
    new Map(all.map((decision) => [decision.id, decision])).forEach(write);
    receive = write;
  }

  onModuleInit(): void {
    this.#noting = this.#decisions.stream.subscribe((decision) => {
      const since = this.#recent?.since;
      if (since && since.push(decision) > RECENT) since.shift();
    });
  }

  /** Open connections would keep the server from closing. */
  onModuleDestroy(): void {
    this.#noting?.unsubscribe();
    for (const end of this.#listeners.keys()) end();
  }

  /** Whoever comes and goes at will does not have the database asked each time. */
  #latest(): Recent {
    const now = (this.#settings.now ?? (() => performance.now()))();
    if (this.#recent === undefined || now - this.#recent.at >= SHARED_MS) {
      const list = this.#decisions.recent({ limit: RECENT }).catch(() => []);
      this.#recent = { at: now, list, since: [] };
    }
    return this.#recent;
  }
}

function send(response: Response, decision: TrustDecision): void {
  push(response, `id: ${decision.id}\ndata: ${JSON.stringify(feedEntryOf(decision))}\n\n`);
}

function push(response: Response, text: string): void {
  if (response.writableEnded || response.destroyed) return;
  if (response.writableLength > MAX_WAITING) response.destroy();
  else response.write(text);
}
