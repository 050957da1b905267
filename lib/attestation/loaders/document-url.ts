import { TabConfigError } from '../../errors/tab-error.js';

const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * Ensures that a document (a list, a key set) comes over an authenticated connection, from an address that says nothing
 * secret: `https:`, or `http:` to a loopback host, without user info and fragment.
 *
 * @param where names the option in error messages
 * @param example an address that would do
 * @throws TabConfigError
 */
export function checkDocumentUrl(value: unknown, where: string, example: string): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined) throw new TabConfigError(`${where} must be an absolute URL such as ${example}`);
  const local = url.protocol === 'http:' && LOOPBACK.test(url.hostname);
  if (url.protocol !== 'https:' && !local)
    throw new TabConfigError(`${where} must be https: (http: only to a loopback host)`);
  if (url.username || url.password || url.hash)
    throw new TabConfigError(`${where} must have no user info and no fragment`);
  return url;
}
