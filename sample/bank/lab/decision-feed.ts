import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { Response } from 'express';
import { TabDecisions, type TrustDecision } from 'nestjs-tab';
import { feedEntryOf } from './feed-entry.js';
import { LAB_SETTINGS, type LabSettings } from './lab-settings.js';

/** Decisions that a listener is told of first. */
const RECENT = 50;
const MAX_LISTENERS = 20;
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

/** Tells browsers of decisions as they are made, as server-sent events. */
@Injectable()
export class DecisionFeed implements OnModuleDestroy {
  readonly #decisions: TabDecisions;
  readonly #settings: LabSettings;
  /** What ends each listener. */
  readonly #listeners = new Set<() => void>();

  constructor(decisions: TabDecisions, @Inject(LAB_SETTINGS) settings: LabSettings) {
    this.#decisions = decisions;
    this.#settings = settings;
  }

  /** Whether one more may listen. */
  get hasRoom(): boolean {
    return this.#listeners.size < (this.#settings.maxListeners ?? MAX_LISTENERS);
  }

  /** Those who listen now. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Answers with the latest decisions, oldest first, and with every later one, until the browser goes. */
  async tell(response: Response): Promise<void> {
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
    this.#listeners.add(end);
    response.on('close', end).on('error', end);
    response.writeHead(200, HEADERS).write('retry: 3000\n\n');
    const recent = await this.#decisions.recent({ limit: RECENT }).catch(() => []);
    const told = new Set(recent.map(({ id }) => id));
    [...recent.toReversed(), ...waiting.filter(({ id }) => !told.has(id))].forEach(write);
    receive = write;
  }

  /** Open connections would keep the server from closing. */
  onModuleDestroy(): void {
    for (const end of this.#listeners) end();
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
