/** What came as content: nothing, octets that we hold exactly as sent, or something that we do not hold. */
export type RequestContent =
  | { readonly kind: 'none' }
  | { readonly kind: 'octets'; readonly octets: Uint8Array }
  | { readonly kind: 'unavailable' };

/** A request as the socket received it, free of any framework. */
export interface TabRequest {
  /** The method on the wire. */
  readonly method: string;
  /** The method by which the framework chose the handler; differs from `method` where something overrides methods. */
  readonly handlerMethod: string;
  /** The request target on the wire, never rewritten by a router. */
  readonly target: string;
  /** `host[:port]` of the request, forwarded only where the framework trusts the proxy. */
  readonly authority: string | undefined;
  readonly headers: HeaderFields;
  readonly content: RequestContent;
}

const NO_VALUES: readonly string[] = [];

/**
 * Header fields with every occurrence kept: a map of first, last or joined values hides duplicates. They are looked through
 * when one is asked for: a request is asked for a handful, and is not worth a map of all.
 */
export class HeaderFields {
  readonly #raw: readonly string[];

  /** @param raw names and values in turn, as in `IncomingMessage.rawHeaders`; not changed afterwards */
  constructor(raw: readonly string[]) {
    this.#raw = raw;
  }

  /** All values of the field with this lower-case name, in the order received. */
  values(name: string): readonly string[] {
    let values: string[] | undefined;
    for (let at = this.#next(name, 0); at !== -1; at = this.#next(name, at + 2)) {
      if (values === undefined) values = [this.#raw[at + 1] as string];
      else values.push(this.#raw[at + 1] as string);
    }
    return values ?? NO_VALUES;
  }

  /** All fields by lower-case name: for whoever asks for many, since each look goes through all. */
  index(): ReadonlyMap<string, readonly string[]> {
    const index = new Map<string, string[]>();
    for (let at = 0; at + 1 < this.#raw.length; at += 2) {
      const name = (this.#raw[at] as string).toLowerCase();
      const value = this.#raw[at + 1] as string;
      const values = index.get(name);
      if (values === undefined) index.set(name, [value]);
      else values.push(value);
    }
    return index;
  }

  /** Whether the field occurs at all. */
  has(name: string): boolean {
    return this.#next(name, 0) !== -1;
  }

  /** Where the field is next, from an even index on; -1 when it is no more. */
  #next(name: string, from: number): number {
    const raw = this.#raw;
    for (let at = from; at + 1 < raw.length; at += 2) {
      const candidate = raw[at] as string;
      if (candidate === name || (candidate.length === name.length && candidate.toLowerCase() === name)) return at;
    }
    return -1;
  }
}
