import { TabConfigError, TabError } from '../errors/tab-error.js';

/** A configured origin. */
export interface Origin {
  /** `scheme://host[:port]`, lower case, default port omitted. */
  readonly base: string;
  /** `host[:port]`, likewise. */
  readonly authority: string;
  /** The path that a gateway strips, `''` or `/…` without a slash at the end. */
  readonly prefix: string;
  /** `base` and `prefix`: what goes before the path of a request. */
  readonly href: string;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' };
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/;
const ABSOLUTE = /^(https?):\/\/([^/?#@\\]+)(\/[^?#\\]*)?$/i;
/** Tested before anything is put in lower case: some letters outside ASCII have an ASCII letter for their lower case. */
const AUTHORITY = /^[a-z0-9.-]+(?::\d{1,5})?$|^\[[0-9a-f:.]+\](?::\d{1,5})?$/i;

function omitDefaultPort(scheme: string, authority: string): string {
  const suffix = `:${DEFAULT_PORTS[scheme]}`;
  return authority.endsWith(suffix) ? authority.slice(0, -suffix.length) : authority;
}

function splitAbsolute(url: string): { scheme: string; authority: string; path: string } | undefined {
  const match = ABSOLUTE.exec(url);
  if (match === null) return undefined;
  const scheme = (match[1] as string).toLowerCase();
  if (!AUTHORITY.test(match[2] as string)) return undefined;
  const authority = (match[2] as string).toLowerCase();
  return { scheme, authority: omitDefaultPort(scheme, authority), path: match[3] ?? '' };
}

function parseOrigin(text: string): Origin {
  const parts = splitAbsolute(text);
  if (parts === undefined || /%|\/\/|\/\.{1,2}(?:\/|$)/.test(parts.path)) {
    throw new TabConfigError(
      `origins: '${text}' is not an origin; write it like 'https://api.example.com' or 'https://api.example.com/prefix'`,
    );
  }
  if (parts.scheme === 'http' && !LOOPBACK.test(parts.authority)) {
    throw new TabConfigError(
      `origins: '${text}' is not https; http is only for loopback hosts such as http://localhost:3000`,
    );
  }
  const base = `${parts.scheme}://${parts.authority}`;
  const prefix = parts.path.replace(/\/+$/, '');
  return { base, authority: parts.authority, prefix, href: base + prefix };
}

/** The configured origins, and the rules by which a request and a token name one of them (PROTOCOL section 2). */
export class Origins {
  readonly all: readonly Origin[];
  readonly #byAuthority = new Map<string, Origin>();

  /** @throws TabConfigError when there is none, one is not an origin, or two cannot be told apart by a request's authority */
  constructor(origins: readonly string[]) {
    if (origins.length === 0)
      throw new TabConfigError("origins: name at least one, like origins: ['https://api.example.com']");
    this.all = origins.map(parseOrigin);
    for (const origin of this.all) {
      if (this.#byAuthority.has(origin.authority)) {
        throw new TabConfigError(
          `origins: '${origin.authority}' is there twice; a request could not select one of them`,
        );
      }
      this.#byAuthority.set(origin.authority, origin);
    }
  }

  /** The first origin; it names this deployment in key derivation. */
  get first(): Origin {
    return this.all[0] as Origin;
  }

  /** The origin that a request is for. A single one is the only one, whatever `Host` says; of several, the authority must select one. */
  select(authority: string | undefined): Origin {
    if (this.all.length === 1) return this.first;
    // A malformed authority selects nothing, however it is made to end.
    const name = authority !== undefined && AUTHORITY.test(authority) ? authority.toLowerCase() : '';
    const origin = this.#byAuthority.get(name) ?? this.all.find((each) => this.#isWithDefaultPort(each, name));
    if (origin === undefined)
      throw new TabError('request_mismatch', 'the authority of the request selects no configured origin');
    return origin;
  }

  #isWithDefaultPort(origin: Origin, authority: string): boolean {
    const scheme = origin.base.slice(0, origin.base.indexOf(':'));
    return authority === `${origin.authority}:${DEFAULT_PORTS[scheme]}`;
  }
}

/** Whether `htu` names exactly this origin and path. Scheme and host in any case, default port optional, empty path equal to `/`. */
export function isTargetUri(htu: string, origin: Origin, path: string): boolean {
  if (htu === origin.href + path) return true;
  const parts = splitAbsolute(htu);
  if (parts === undefined) return false;
  return `${parts.scheme}://${parts.authority}` === origin.base && (parts.path || '/') === origin.prefix + path;
}
