// How often each token is presented, when, and until when it may be.

/** Most presentations of a token. */
const MOST = 5;
/** Milliseconds within which presentations are a race. */
const RACE = 20;
/** Milliseconds within which they follow soon. */
const SOON = 2000;
/** Margins before its end that a token is presented at the latest: a little more than one, so that few come too late. */
const SLACK = 1.25;
/** Seconds for which a claim is kept at most. */
const KEPT = 180;

export class Plan {
  #claims;
  #requests;

  /**
   * @param margin seconds, by the clock of the run, before its expiry in which a token is not presented any more
   * @param longest seconds, by the real clock, of the longest delay
   */
  constructor({ tokens, http, longest, speed }, margin, random) {
    this.#claims = tokens - http;
    this.#requests = http;
    this.longest = longest;
    this.speed = speed;
    this.margin = margin;
    this.random = random;
  }

  /** What the next token is for; undefined when there is none left. */
  next() {
    const left = this.#claims + this.#requests;
    if (left === 0) return undefined;
    const isRequest = this.random.next() * left < this.#requests;
    if (isRequest) this.#requests -= 1;
    else this.#claims -= 1;
    return { isRequest, presentations: this.random.whole(1, MOST) };
  }

  /** Seconds from now until the claim of a token expires: as if it had been made anything from now to long ago. */
  life() {
    return this.random.whole(2 * this.margin + 5, KEPT);
  }

  /**
   * The delays of the presentations, in milliseconds: the last may come just before the margin.
   *
   * @param life seconds by the clock of the run after which the token is of no use
   */
  delays(presentations, life) {
    const last = Math.min(this.longest, (life - SLACK * this.margin) / this.speed) * 1000;
    return Array.from({ length: presentations }, (_, index) => (index === 0 ? 0 : Math.min(this.#delay(last), last)));
  }

  #delay(last) {
    const kind = this.random.next();
    if (kind < 0.5) return this.random.between(0, RACE);
    return kind < 0.9 ? this.random.between(0, SOON) : this.random.between(0, last);
  }
}
