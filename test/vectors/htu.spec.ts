import { expect, it } from 'vitest';
import { TabConfigError } from '../../lib/errors/tab-error.js';
import { isTargetUri, Origins } from '../../lib/token/origins.js';
import { parseTarget } from '../../lib/token/target.js';
import { thrownBy } from '../utils/core/index.js';
import { describeVectors } from '../utils/vectors.js';

interface Normalisation {
  pairs: { requestUrl: string; htu: string }[];
  normalise: { input: string; expected: string }[];
  invalid: { input: string }[];
  requestOnlyRejects: { input: string }[];
}
interface UrlCase {
  input: string;
  base: string | null;
  href?: string;
}

/** Origin and path of a URL that is already in plain form; loopback stands in for http hosts, which production refuses. */
function split(url: string): { origin: string; path: string } {
  const [, origin = '', path = ''] = /^(https?:\/\/[^/?#]*)([^?#]*)/.exec(url) ?? [];
  return { origin, path: path || '/' };
}

/** Our rule, written out by hand for each pair: nothing is normalised but the case of scheme and host, and the default port. */
const EXPECTED_PAIRS: Record<string, boolean> = {
  'https://example.com?query=1#fragment': false,
  'https://example.com/#fragment': false,
  'https://example.com/?query=1': false,
  'https://example.com': true,
  'HTTPS://EXAMPLE.COM': true,
  'https://EXAMPLE.com': true,
  'HtTpS://eXaMpLe.CoM': true,
  'https://example.com:443': true,
};

describeVectors('dpop', (vectors) => {
  const cases = vectors.json<Normalisation>('htu-normalisation.json');

  it('judges every pair by our rule', () => {
    const judged = cases.pairs.filter(({ requestUrl }) => requestUrl.startsWith('https:'));
    expect(judged).toHaveLength(Object.keys(EXPECTED_PAIRS).length);
    for (const { requestUrl, htu } of judged) {
      const { origin, path } = split(requestUrl);
      expect(isTargetUri(htu, new Origins([origin]).first, path), htu).toBe(EXPECTED_PAIRS[htu]);
    }
  });

  it('takes a URL with query or fragment for no htu, and the plain form for one', () => {
    for (const { input, expected } of cases.normalise.filter((each) => each.input.startsWith('https://api.'))) {
      const { origin, path } = split(expected);
      const first = new Origins([origin]).first;
      expect(isTargetUri(expected, first, path), expected).toBe(true);
      expect(isTargetUri(input, first, path), input).toBe(!/[?#]/.test(input));
    }
  });

  it('takes no invalid URL for the htu of anything', () => {
    for (const { input } of cases.invalid) {
      expect(() => new Origins([input]), input).toThrow(TabConfigError);
      for (const host of ['https://st.example', 'https://api.example.com', 'https://resource.com']) {
        for (const path of ['/', '/path', '/broken-url', '/intendedPath'])
          expect(isTargetUri(input, new Origins([host]).first, path), input).toBe(false);
      }
    }
  });

  it('compares paths that look like URLs as the octets they are', () => {
    const { first } = new Origins(['https://api.example.com']);
    for (const { input } of cases.requestOnlyRejects) {
      const { path } = split(input);
      expect(isTargetUri(input, first, parseTarget(path).path), input).toBe(true);
      expect(isTargetUri(input, first, path.replace('//', '/')), input).toBe(false);
    }
  });
});

describeVectors('evil-input', (vectors) => {
  const urls = vectors
    .json<(UrlCase | string)[]>('wpt-url/urltestdata.json')
    .filter((each): each is UrlCase => typeof each !== 'string');
  const spellings = urls.flatMap(({ input, href }) => (href === undefined ? [input] : [input, href]));
  const { first } = new Origins(['https://example.org']);

  it('there are many', () => expect(spellings.length).toBeGreaterThan(1000));

  it('as htu none is taken for another path, and equal ones differ only as our rule allows', () => {
    for (const htu of spellings) {
      for (const path of ['/', '/foo/bar', '/foo', '/test', '/x']) {
        // By hand: scheme and host in any case, an optional :443, then the very path; an empty one is the root.
        const plain = /^https:\/\/example\.org(?::443)?(\/[^?#\\]*)?$/i.exec(htu);
        expect(isTargetUri(htu, first, path), JSON.stringify(htu)).toBe(plain !== null && (plain[1] ?? '/') === path);
      }
    }
  });

  it('as configured origins they are taken or refused with a message, never crash', () => {
    for (const url of spellings) {
      try {
        const { href } = new Origins([url]).first;
        expect(href, url).toMatch(/^https?:\/\/(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:\/[^?#\\]*)?$/);
      } catch (error) {
        expect(error, url).toBeInstanceOf(TabConfigError);
      }
    }
  });

  it('as authorities they select nothing but the origin they name', () => {
    const several = new Origins(['https://example.org', 'https://example.com']);
    for (const text of spellings) {
      const outcome = thrownBy(() => several.select(text));
      expect(outcome === 'accepted', text).toBe(/^example\.(?:org|com)(?::443)?$/i.test(text));
    }
  });

  it('as targets they are taken as they stand, or refused', () => {
    let taken = 0;
    for (const target of spellings) {
      if (thrownBy(() => parseTarget(target)) !== 'accepted') continue;
      taken += 1;
      const { path, query } = parseTarget(target);
      expect(target === path || target === `${path}?${query}`, target).toBe(true);
      expect(path, target).toMatch(/^\/[!-~]*$/);
      expect(path, target).not.toMatch(/[#\\?]|\/(?:\.|%2e){1,2}(?:\/|$)/i);
    }
    expect(taken).toBeGreaterThan(0);
  });
});
