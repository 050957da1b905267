import { TabConfigError } from '../../errors/tab-error.js';

const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * Ensures that a document comes over an authenticated connection, from an address that says nothing secret.
 *
 * @param where names the option in error messages
 * @throws TabConfigError
 */
export function checkDocumentUrl(value: unknown, where: string): string {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined)
    throw new TabConfigError(`${where} must be an absolute URL such as https://mirror.example/list`);
  const local = url.protocol === 'http:' && LOOPBACK.test(url.hostname);
  if (url.protocol !== 'https:' && !local)
    throw new TabConfigError(`${where} must be https: (http: only to a loopback host)`);
  if (url.username || url.password || url.hash)
    throw new TabConfigError(`${where} must have no user info and no fragment`);
  return url.href;
}
