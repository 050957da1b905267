import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The worker of the `debugger` probe: `DEBUGGER_WORKER` of `nestjs-tab/defender/web`. Written as it is, since minifiers drop
 * the statement that it is about.
 */
const DEBUGGER_WORKER = 'onmessage=()=>{postMessage("before");debugger;postMessage("after")}';

const WORKER = 'assets/debugger-worker.js';

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
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: WORKER, source: DEBUGGER_WORKER });
    },
    // Of what was written: other plugins change the code of chunks until then.
    writeBundle({ dir }, bundle) {
      const names = Object.keys(bundle).filter((name) => CODE.test(name));
      const files = names.map((name) => [`/${name}`, digest(readFileSync(join(dir, name)))]);
      const source = `${JSON.stringify({ version: 1, files: Object.fromEntries(files) }, null, 2)}\n`;
      writeFileSync(join(dir, 'assets/integrity.json'), source);
    },
  };
}

/** @param {string | Uint8Array} content */
function digest(content) {
  return `sha256-${createHash('sha256').update(content).digest('base64')}`;
}
