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

/** Header fields with every occurrence kept: a map of first, last or joined values hides duplicates. */
export class HeaderFields {
  readonly #values = new Map<string, string[]>();

  /** @param raw names and values in turn, as in `IncomingMessage.rawHeaders` */
  constructor(raw: readonly string[]) {
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = (raw[i] as string).toLowerCase();
      const values = this.#values.get(name);
      if (values === undefined) this.#values.set(name, [raw[i + 1] as string]);
      else values.push(raw[i + 1] as string);
    }
  }

  /** All values of the field with this lower-case name, in the order received. */
  values(name: string): readonly string[] {
    return this.#values.get(name) ?? NO_VALUES;
  }

  /** Whether the field occurs at all. */
  has(name: string): boolean {
    return this.#values.has(name);
  }
}
