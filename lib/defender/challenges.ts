/** How many unused challenges are kept; more would be past their life before they are used. */
const MAX_FRESH = 16;
/** How many routes are remembered as single-use. */
const MAX_ROUTES = 256;

/**
 * The request challenges of one server. A client cannot see whether a route spends its challenges, so it learns:
 *
 * - A challenge that has been in no token is *fresh*. The first token for an ordinary route makes it the *shared* one, which
 *   all ordinary routes use until the server sends a newer one or refuses it.
 * - A route that answers with a new challenge may be *single-use*. Its tokens take a fresh challenge for themselves,
 *   never the shared one, or go without and let `use_tab_nonce` bring one, until it answers without a new challenge.
 * - The challenge of a `use_tab_nonce` answer belongs to the retry of that very request; it is shared only once an accepted
 *   answer has shown that it was not spent.
 */
export class Challenges {
  #fresh: string[] = [];
  #shared?: string;
  readonly #singleUse = new Set<string>();

  /** Keeps a challenge that has been in no token. */
  add(challenge: string): void {
    this.#fresh.push(challenge);
    if (this.#fresh.length > MAX_FRESH) this.#fresh.shift();
  }

  /** The challenge for the next token of `route`, or undefined when there is none to be had. */
  take(route: string): string | undefined {
    if (this.#singleUse.has(route)) return this.#fresh.pop();
    this.#shared ??= this.#fresh.pop();
    return this.#shared;
  }

  /** The token of `route` with `used` was accepted and no new challenge came: `used` is not spent. */
  accepted(route: string, used: string | undefined): void {
    this.#singleUse.delete(route);
    this.#shared ??= used;
  }

  /** The answer to the token of `route` with `used` brought a new challenge: `used` is spent, or past half its life. */
  superseded(route: string, used: string | undefined): void {
    if (this.#shared === used) this.#shared = undefined;
    this.#singleUse.add(route);
    const [oldest] = this.#singleUse;
    if (this.#singleUse.size > MAX_ROUTES && oldest !== undefined) this.#singleUse.delete(oldest);
  }

  /** The server refused `used` itself; what is older than it is no better. */
  refused(): void {
    this.#fresh = [];
    this.#shared = undefined;
  }
}
