import { createHash } from 'node:crypto';

/**
 * The worker of the `debugger` probe: `DEBUGGER_WORKER` of `nestjs-tab/defender/web`. Written as it is, since minifiers drop
 * the statement that it is about.
 */
const DEBUGGER_WORKER = 'onmessage=()=>{postMessage("before");debugger;postMessage("after")}';

/** Code that a page runs. */
const CODE = /\.(?:js|css)$/;

/**
 * Writes `assets/integrity.json`: the SHA-256 of every script and style sheet that the build emits, in the form of
 * `integrity` attributes, by their path from the origin. The page compares itself with it.
 *
 * It comes from where the page comes from, so it shows changes made on the way or in the browser (an extension, a proxy, a
 * cache); whoever can change files on the server changes this one too.
 *
 * @returns {import('vite').Plugin}
 */
export function ownFiles() {
  return {
    name: 'own-files',
    apply: 'build',
    enforce: 'post',
    generateBundle(_options, bundle) {
      this.emitFile({ type: 'asset', fileName: 'assets/debugger-worker.js', source: DEBUGGER_WORKER });
      const built = Object.values(bundle)
        .filter(({ fileName }) => CODE.test(fileName))
        .map((file) => [`/${file.fileName}`, digest(file.type === 'chunk' ? file.code : file.source)]);
      const files = [...built, ['/assets/debugger-worker.js', digest(DEBUGGER_WORKER)]];
      const source = `${JSON.stringify({ version: 1, files: Object.fromEntries(files) }, null, 2)}\n`;
      this.emitFile({ type: 'asset', fileName: 'assets/integrity.json', source });
    },
  };
}

/** @param {string | Uint8Array} content */
function digest(content) {
  return `sha256-${createHash('sha256').update(content).digest('base64')}`;
}
