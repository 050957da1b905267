import { Controller, Get, NotFoundException, Param, Res } from '@nestjs/common';
import type { Response } from 'express';
import { SkipTrust } from 'nestjs-tab';
import { PageFiles, type PageFile } from './page-files.js';

/**
 * Nothing but the page's own files runs, nothing is sent elsewhere, nobody frames it. Frames of its own are empty ones, in
 * which the Defender looks for untouched functions of the browser.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
].join('; ');

const HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** `index-D4f8k2Xz.js`. */
const HASHED = /-[\w-]{8}\.\w+$/;

const NOT_BUILT = [
  'The bank is running, but its page has not been built.',
  'Start it with "npm start", which builds the page first.',
  '',
].join('\n');

/** The files of the page, which browsers ask for before there is a Defender. */
@Controller()
@SkipTrust()
export class PageController {
  readonly #files: PageFiles;

  constructor(files: PageFiles) {
    this.#files = files;
  }

  @Get()
  index(@Res() response: Response): void {
    const file = this.#files.find('index.html');
    if (file) answer(response, file, 'no-cache');
    else response.status(503).set(HEADERS).type('text/plain').send(NOT_BUILT);
  }

  /** Most names hold a hash of what is in the file; the others must be looked up anew. */
  @Get('assets/:name')
  asset(@Param('name') name: string, @Res() response: Response): void {
    const file = this.#files.find(`assets/${name}`);
    if (file === undefined) throw new NotFoundException();
    answer(response, file, HASHED.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache');
  }
}

function answer(response: Response, { type, content }: PageFile, cacheControl: string): void {
  response.set({ ...HEADERS, 'Content-Type': type, 'Cache-Control': cacheControl }).send(content);
}
