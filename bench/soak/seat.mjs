// The place of one process: whoever sits there is killed now and then, and another takes over.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { OUTCOME } from './ledger.mjs';

const WORKER = fileURLToPath(new URL('./worker.mjs', import.meta.url));
/** Claims that one process has without an answer, at most. */
const CLAIMS = 512;
/** Requests that one process has without an answer, at most. */
const REQUESTS = 16;
/** Milliseconds in which a process has to end when it is asked to. */
const PATIENCE = 10_000;

export class Seat {
  alive = false;
  port = 0;
  kills = 0;
  restarts = 0;
  requests = 0;
  agent;
  #child;
  #batch = [];
  #claims = 0;
  #timer;
  #ending = false;

  /** @param onFailure called when a process ends that nobody killed */
  constructor(settings, ledger, { killEvery, random, onFailure }) {
    this.settings = settings;
    this.ledger = ledger;
    this.killEvery = killEvery;
    this.random = random;
    this.onFailure = onFailure;
    /** Presentations of each token that this process has not answered. */
    this.open = new Uint8Array(ledger.tokens);
  }

  get hasRoom() {
    return this.alive && this.#claims < CLAIMS;
  }

  get hasRequestRoom() {
    return this.alive && this.requests < REQUESTS;
  }

  get unanswered() {
    return this.#claims + this.requests;
  }

  /** Starts a process and waits until it serves. */
  async start() {
    // Whatever runs the coordinator has options that are not for the workers.
    const child = fork(WORKER, [JSON.stringify(this.settings)], {
      execArgv: [],
      serialization: 'advanced',
      // Standard output is for the results of the run.
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    this.#child = child;
    const gone = Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
    const [{ port }] = await Promise.race([
      once(child, 'message'),
      gone.then(([[code]]) => Promise.reject(new Error(`a process ended with ${code} before it served`))),
    ]);
    void gone.then(() => this.#afterwards(child)).catch((error) => this.onFailure(error));
    child.on('message', ({ results }) => this.#take(results));
    this.port = port;
    this.agent = new Agent({ keepAlive: true, maxSockets: REQUESTS });
    this.alive = true;
  }

  /** From now on, whoever sits here is killed at random. */
  beginKilling() {
    const wait = this.killEvery * this.random.between(0.5, 1.5);
    this.#timer = setTimeout(() => this.#kill(), wait * 1000);
  }

  endKilling() {
    this.#ending = true;
    clearTimeout(this.#timer);
  }

  /** Puts a claim into the batch that `flush` sends. */
  present(token, expiresAt) {
    this.#batch.push(token, expiresAt);
    this.#claims += 1;
    this.open[token] += 1;
  }

  flush() {
    if (this.#batch.length === 0) return;
    const claims = Uint32Array.from(this.#batch);
    this.#batch = [];
    // A process that is gone answers nothing, which its end will tell.
    this.#child.send({ claims }, () => undefined);
  }

  async stop() {
    this.endKilling();
    this.alive = false;
    const child = this.#child;
    this.#child = undefined;
    this.agent?.destroy();
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    const impatience = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    if (child.connected) child.send({ stopping: true }, () => undefined);
    await ended;
    clearTimeout(impatience);
  }

  #kill() {
    this.kills += 1;
    this.alive = false;
    this.#child.kill('SIGKILL');
  }

  #take(results) {
    for (let at = 0; at < results.length; at += 2) {
      const token = results[at];
      if (this.open[token] === 0) {
        this.onFailure(new Error(`a result for token ${token}, which nobody waits for`));
        return;
      }
      this.open[token] -= 1;
      this.#claims -= 1;
      this.ledger.enter(token, results[at + 1]);
    }
  }

  /** After the end of a process: everything that it sent has been read; what it has not answered is unknown for ever. */
  async #afterwards(child) {
    await turn();
    this.agent.destroy();
    if (this.#child !== child) return;
    if (child.signalCode !== 'SIGKILL' || this.alive) throw new Error('a process ended that nobody killed');
    this.#batch = [];
    for (let token = 0; this.#claims > 0 && token < this.open.length; token += 1) {
      for (; this.open[token] > 0; this.open[token] -= 1) {
        this.#claims -= 1;
        this.ledger.enter(token, OUTCOME.DIED);
      }
    }
    if (this.#ending) return;
    await this.start();
    this.restarts += 1;
    if (!this.#ending) this.beginKilling();
  }
}
