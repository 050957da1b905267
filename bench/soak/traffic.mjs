// Presents the tokens of a plan, each as often as planned, to processes at random.
import { setTimeout as sleep } from 'node:timers/promises';
import { OUTCOME } from './ledger.mjs';
import { TOKEN_LIFETIME } from './tab-app.mjs';
import { Wheel } from './wheel.mjs';

/** Milliseconds between two looks at what is due. */
const TICK = 4;
/** Tokens that begin in one tick, at most. */
const BEGUN = 300;
/** Presentations that are due and find no room; above, no token begins. */
const WAITING = 1500;
/** Requests likewise. */
const REQUESTS_WAITING = 100;
/** Milliseconds without an answer after which something is stuck. */
const STUCK = 60_000;

export class Traffic {
  #wheel = new Wheel(performance.now());
  #claims = [];
  #requests = [];
  /** Tokens of requests that are still to be presented, by number. */
  #tokens = new Map();
  #minting = 0;
  #begun = 0;
  #done = false;
  #answered = 0;
  #answeredAt = performance.now();

  /** @param epoch of the run in seconds, from which expiries are counted */
  constructor({ seats, ledger, plan, devices, random, clock, epoch, isFailed }) {
    Object.assign(this, { seats, ledger, plan, devices, random, clock, epoch, isFailed });
    this.expiries = new Uint32Array(ledger.tokens);
  }

  /** Runs until every presentation has its outcome. */
  async run() {
    while (!this.#isOver) {
      this.#collect();
      this.#dispatch();
      this.#begin();
      for (const seat of this.seats) seat.flush();
      this.#watch();
      await sleep(TICK);
    }
  }

  get #isOver() {
    const unanswered = this.seats.some((seat) => seat.unanswered > 0);
    return this.#done && this.#waiting === 0 && !unanswered;
  }

  get #waiting() {
    return this.#wheel.size + this.#claims.length + this.#requests.length + this.#minting;
  }

  get #now() {
    return this.clock() / 1000 - this.epoch;
  }

  #collect() {
    for (const token of this.#wheel.due(performance.now())) {
      if (this.#tokens.has(token)) this.#requests.push(token);
      else this.#claims.push(token);
    }
  }

  #begin() {
    for (let count = 0; count < BEGUN && !this.#done; count += 1) {
      if (this.#claims.length > WAITING || this.#requests.length + this.#minting > REQUESTS_WAITING) return;
      const next = this.plan.next();
      if (next === undefined) {
        this.#done = true;
        return;
      }
      const token = this.#begun;
      this.#begun += 1;
      this.ledger.plan(token, next.presentations);
      if (next.isRequest) void this.#mint(token, next.presentations);
      else this.#schedule(token, next.presentations, this.plan.life());
    }
  }

  /** @param life seconds from now after which the token is of no use */
  #schedule(token, presentations, life) {
    this.expiries[token] = Math.floor(this.#now) + life;
    const now = performance.now();
    for (const delay of this.plan.delays(presentations, life)) this.#wheel.add(token, now + delay);
  }

  async #mint(token, presentations) {
    this.#minting += 1;
    const device = this.devices[this.random.whole(0, this.devices.length - 1)];
    const { text } = await device.token();
    this.#tokens.set(token, { device, text, left: presentations });
    this.#schedule(token, presentations, TOKEN_LIFETIME);
    this.#minting -= 1;
  }

  /** Gives what is due to processes that have room, and keeps the rest. */
  #dispatch() {
    this.#claims = this.#claims.filter((token) => !this.#settle(token, (seat) => seat.hasRoom, this.#present));
    this.#requests = this.#requests.filter(
      (token) => !this.#settle(token, (seat) => seat.hasRequestRoom, this.#request),
    );
  }

  /** Whether the presentation is under way, or will never be. */
  #settle(token, hasRoom, present) {
    if (this.#now > this.expiries[token] - this.plan.margin) {
      this.ledger.enter(token, OUTCOME.LATE);
      this.#forget(token);
      return true;
    }
    const first = this.random.whole(0, this.seats.length - 1);
    const seat = [...this.seats.slice(first), ...this.seats.slice(0, first)].find(hasRoom);
    if (seat === undefined) return false;
    present.call(this, seat, token);
    return true;
  }

  #present(seat, token) {
    seat.present(token, this.expiries[token]);
  }

  #request(seat, token) {
    const { device, text } = this.#tokens.get(token);
    const { agent } = seat;
    this.#forget(token);
    seat.requests += 1;
    void device.present(seat, text).then(([outcome, code]) => {
      // A connection that fails although nobody killed the process is a fault of the service.
      const isService = outcome === OUTCOME.DIED && seat.alive && seat.agent === agent;
      this.ledger.enter(token, isService ? OUTCOME.UNAVAILABLE : outcome, code);
      seat.requests -= 1;
    });
  }

  #forget(token) {
    const held = this.#tokens.get(token);
    if (held === undefined) return;
    held.left -= 1;
    if (held.left === 0) this.#tokens.delete(token);
  }

  #watch() {
    if (this.isFailed() !== undefined) throw this.isFailed();
    const { answered } = this.ledger;
    const now = performance.now();
    const isIdle = this.#wheel.size > 0 && this.seats.every((seat) => seat.unanswered === 0);
    if (answered !== this.#answered || isIdle) this.#answeredAt = now;
    this.#answered = answered;
    if (now - this.#answeredAt > STUCK) throw new Error('nothing has been answered for a minute');
  }
}
