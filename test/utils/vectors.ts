import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';

/** Where third-party test data lies: `TAB_VECTORS`, else `../shared/vectors` beside the project. */
const ROOT = process.env['TAB_VECTORS'] ?? fileURLToPath(new URL('../../../shared/vectors', import.meta.url));

/** One topic of the third-party test data. */
export interface VectorTopic {
  /** Absolute path of a file of the topic. */
  path(file: string): string;
  bytes(file: string): Buffer;
  text(file: string): string;
  /** Parsed JSON; the caller names its form. */
  json<T>(file: string): T;
}

/** The data of a topic such as `client-attestation`; undefined, with a printed notice, where it is absent. */
export function vectorTopic(topic: string): VectorTopic | undefined {
  const folder = join(ROOT, topic);
  if (!existsSync(folder)) {
    console.warn(`test vectors "${topic}" are absent: their cases are skipped (set TAB_VECTORS to their folder)`);
    return undefined;
  }
  const path = (file: string) => join(folder, file);
  return {
    path,
    bytes: (file) => readFileSync(path(file)),
    text: (file) => readFileSync(path(file), 'utf8'),
    json: <T>(file: string) => JSON.parse(readFileSync(path(file), 'utf8')) as T,
  };
}

/** A `describe` over a topic; skipped, with a printed notice, where its data is absent. */
export function describeVectors(topic: string, body: (vectors: VectorTopic) => void): void {
  const vectors = vectorTopic(topic);
  const title = `third-party vectors: ${topic}`;
  if (vectors === undefined) describe.skip(title, () => it('needs the vectors', () => undefined));
  else describe(title, () => body(vectors));
}
