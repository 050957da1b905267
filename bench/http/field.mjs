// The servers and the load of one benchmark: starts them, runs rounds, ends them.
import { keyOf } from './cases.mjs';
import { Child, pin } from './rpc.mjs';

const SERVER = new URL('server.mjs', import.meta.url);
const LOAD = new URL('load.mjs', import.meta.url);
/** Clients, with a session each. */
const USERS = 256;
const WARM_UP = 2000;
/** Milliseconds. */
const REDIS_WAIT = 45_000;
const MOST = 400_000;

const seconds = () => Math.floor(Date.now() / 1000);

/** One application under test. */
export class Contestant {
  constructor(which, child, started) {
    this.which = which;
    this.key = keyOf(which);
    this.child = child;
    this.started = started;
    /** Requests per second at the last round of a form, to size the next. */
    this.rates = new Map();
  }
}

export class Field {
  contestants = [];
  /** Cases that this build or machine does not have, with the reason. */
  missing = [];
  pinned = false;
  #load;
  #issuerKey;

  /** @param {string | undefined} node the binary that runs the servers; default: this one */
  constructor(node = process.env.TAB_BENCH_NODE) {
    this.node = node;
  }

  async open({ users = USERS, bare = false, heap } = {}) {
    this.#load = new Child(LOAD, { heap });
    this.pinned = pin(this.#load.pid, 'load');
    this.#issuerKey = await this.#load.call('issuerKey');
    this.users = users;
    this.bare = bare;
  }

  /** Starts the application of a case and makes sure that it answers; a case that cannot be is remembered as missing. */
  async add(which) {
    const child = new Child(SERVER, { node: this.node });
    try {
      const started = await child.call('start', { ...which, issuerKey: this.#issuerKey });
      pin(child.pid, 'server');
      const contestant = new Contestant(which, child, started);
      await this.enrol(contestant);
      await this.#firstAnswer(contestant);
      this.contestants.push(contestant);
      return contestant;
    } catch (error) {
      await child.end().catch(() => undefined);
      this.missing.push({ which, reason: String(error.message).split('\n')[0] });
      return undefined;
    }
  }

  /** One accepted request. Stores in Redis refuse tokens for half a minute after they began to remember. */
  async #firstAnswer(contestant) {
    const until = Date.now() + (contestant.which.store === 'Redis' ? REDIS_WAIT : 0);
    for (;;) {
      try {
        return await this.round(contestant, { size: 0, connections: 1, count: 1 });
      } catch (error) {
        if (Date.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  }

  /** Makes the clients, and enrols them where there is something to enrol with. */
  async enrol({ which, child }) {
    const wanted = { algorithm: which.alg ?? 'ES256', count: this.users, bare: this.bare };
    const made = await this.#load.call('identities', wanted);
    if (which.guard !== 'tab' && !which.far) return;
    const identities = made.slice(0, which.users);
    const at = seconds();
    for (let from = 0; from < identities.length; from += 5000)
      await child.call('enrol', { identities: identities.slice(from, from + 5000), at });
  }

  /** A challenge for the tokens of a round. */
  async #nonce({ which, child }) {
    return which.guard === 'tab' ? child.call('challenge', seconds()) : undefined;
  }

  /** One round: tokens, load, measurement. @throws Error when an answer is not the expected one */
  async round(contestant, { size = 0, connections, count, from, spoiled }) {
    const { which, child, started } = contestant;
    const { token, alg, users } = which;
    await this.#load.call('prepare', {
      token,
      alg,
      users,
      size,
      count,
      from,
      spoiled,
      nonce: await this.#nonce(contestant),
    });
    await child.call('mark');
    const load = await this.#load.call('round', { port: started.port, connections });
    const server = await child.call('measured');
    const good =
      spoiled === undefined ? (load.statuses[200] ?? 0) + (load.statuses[201] ?? 0) : (load.statuses[401] ?? 0);
    if (good !== count) throw new Error(`${contestant.key}: ${JSON.stringify(load.statuses)} of ${count} requests`);
    return { ...load, ...server, cpuEach: server.cpu / count, mainEach: server.main / count };
  }

  /** A round of about `time` seconds, sized by the one before of the same form. */
  async timedRound(contestant, form, time) {
    const name = JSON.stringify(form);
    const known = contestant.rates.get(name);
    const count = known === undefined ? Math.max(200, form.count ?? WARM_UP) : Math.ceil(known * time);
    const result = await this.round(contestant, { ...form, count: Math.min(MOST, Math.max(100, count)) });
    contestant.rates.set(name, result.rate);
    return result;
  }

  /** What passes of a thief's attempts. */
  async attempts(contestant) {
    const { which, started } = contestant;
    const { token, alg } = which;
    return this.#load.call('attempts', { port: started.port, token, alg, nonce: await this.#nonce(contestant) });
  }

  async close() {
    await Promise.all(this.contestants.map(({ child }) => child.end()));
    await this.#load?.end();
  }
}
