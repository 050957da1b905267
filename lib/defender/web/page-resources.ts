/** The code that a page has got: what it loaded, and what stands in the page itself. */
export interface PageResources {
  /** Absolute URLs of scripts and style sheets, without fragment. */
  readonly urls: ReadonlySet<string>;
  /** The text of scripts without `src`. */
  readonly inline: ReadonlySet<string>;
}

/** Values of `type` that make a script element run (HTML, "prepare the script element"); others are data. */
const EXECUTABLE =
  /^(?:|module|importmap|(?:text|application)\/(?:x-)?(?:java|ecma)script|text\/javascript1\.[0-5]|text\/(?:jscript|livescript))$/i;
const CODE_FILE = /\.(?:js|mjs|cjs|css)$/i;
/** Who loads code; the rest is images, data of the app, and the like. */
const LOADERS = new Set(['script', 'link', 'css', 'early-hints', 'other']);
const EXTENSION = /^(?:chrome|moz|safari|safari-web|ms-browser)-extension:/;

/** Looks at the elements of the page and at the browser's list of what it loaded, which also has what is gone by now. */
export function pageResources(): PageResources {
  const scripts = [...document.querySelectorAll('script')].filter(({ type }) => EXECUTABLE.test(type.trim()));
  const sheets = [...document.querySelectorAll<HTMLLinkElement>('link[rel~="stylesheet"][href]')];
  const external = scripts.filter((script) => script.hasAttribute('src')).map(({ src }) => src);
  const urls = [...external, ...sheets.map(({ href }) => href), ...loadedCode()];
  const inline = scripts.filter((script) => !script.hasAttribute('src')).map((script) => script.textContent ?? '');
  return {
    // What extensions bring is the matter of another probe.
    urls: new Set(urls.filter((url) => url !== '' && !EXTENSION.test(url)).map(withoutFragment)),
    inline: new Set(inline.filter((text) => text.trim() !== '')),
  };
}

function loadedCode(): string[] {
  const entries = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
  return entries.filter(isCode).map(({ name }) => name);
}

function isCode({ name, initiatorType }: PerformanceResourceTiming): boolean {
  if (initiatorType === 'script') return true;
  return LOADERS.has(initiatorType) && URL.canParse(name) && CODE_FILE.test(new URL(name).pathname);
}

function withoutFragment(url: string): string {
  return url.split('#', 1)[0] ?? '';
}
