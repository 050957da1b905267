import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { LAB_SETTINGS, type LabSettings } from './lab-settings.js';

/** A file of the page, in memory. */
export interface PageFile {
  readonly type: string;
  readonly content: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};

/** The build writes it, so a folder without it is not a built page. */
const INTEGRITY_FILE = 'assets/integrity.json';

/** The built page, read once: what is asked for is a name in a table and never a path on the disk. */
@Injectable()
export class PageFiles implements OnModuleInit {
  readonly #folder: string;
  #files: ReadonlyMap<string, PageFile> = new Map();

  constructor(@Inject(LAB_SETTINGS) { folder }: LabSettings) {
    this.#folder = folder;
  }

  async onModuleInit(): Promise<void> {
    const files = new Map([...(await readFolder(this.#folder, '')), ...(await readFolder(this.#folder, 'assets/'))]);
    if (files.has('index.html') && files.has(INTEGRITY_FILE)) this.#files = files;
  }

  /** A file by its path in the page, such as `assets/index-1a2b3c.js`; undefined when there is none, or no built page. */
  find(path: string): PageFile | undefined {
    return this.#files.get(path);
  }
}

/** Files of the known types, without what lies deeper. A folder that is not there has none. */
async function readFolder(root: string, folder: string): Promise<[string, PageFile][]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => []);
  const files: [string, PageFile][] = [];
  for (const entry of entries) {
    const type = TYPES[extname(entry.name)];
    if (type === undefined || !entry.isFile()) continue;
    files.push([`${folder}${entry.name}`, { type, content: await readFile(join(root, folder, entry.name)) }]);
  }
  return files;
}
