import 'reflect-metadata';
import type { Server } from 'node:http';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Body, Controller, Get, HttpCode, Post, Redirect, type INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import type { NextFunction, Request, Response } from 'express';
import { build, type Rolldown } from 'vite';
import { memoryStores, RequireTrust, TabModule, TabSessions, Trust, type TrustContext } from 'nestjs-tab';

export const PROBES = ['automation', 'hooking', 'overlay', 'debugger', 'time-spoof', 'x-web-extension-injection'];
const CREDENTIAL = 'issued-access-token';

@RequireTrust()
@Controller('api')
class ApiController {
  constructor(private readonly sessions: TabSessions) {}

  @Get('hello')
  @RequireTrust({ session: 'none' })
  hello(@Trust() trust: TrustContext) {
    return { instance: trust.verified ? trust.instance.id : null };
  }

  @Get('moved')
  @RequireTrust({ session: 'none' })
  @Redirect('/api/hello')
  moved(): void {
    // Elsewhere.
  }

  @Post('echo')
  @RequireTrust({ session: 'none' })
  echo(@Body() body: unknown) {
    return body;
  }

  @Post('login')
  @HttpCode(200)
  @RequireTrust({ session: 'none' })
  async login(@Trust() trust: TrustContext) {
    await this.sessions.bind(trust, { subject: 'alice', credential: CREDENTIAL });
    return { accessToken: CREDENTIAL };
  }

  @Get('account')
  account(@Trust() trust: TrustContext) {
    return { subject: trust.verified ? trust.subject : null };
  }
}

/** One request as the server received it. */
export interface Received {
  readonly path: string;
  readonly token: string | undefined;
}

/** A web app and its API on one origin. */
export interface Site {
  readonly origin: string;
  readonly received: Received[];
  /** Files by path; may be changed while it runs. */
  readonly files: Map<string, string>;
  /** Paths that are answered with 500. */
  readonly broken: Set<string>;
  close(): Promise<void>;
}

const built = new Map<string, Promise<string>>();

/** A fixture with the runtime, as one script. */
export function bundle(fixture: 'page' | 'worker'): Promise<string> {
  const present = built.get(fixture);
  if (present) return present;
  const made = makeBundle(fixture);
  built.set(fixture, made);
  return made;
}

async function makeBundle(fixture: string): Promise<string> {
  const entry = fileURLToPath(new URL(`./fixtures/${fixture}.ts`, import.meta.url));
  const output = (await build({
    configFile: false,
    logLevel: 'silent',
    build: { write: false, minify: false, lib: { entry, formats: ['es'], fileName: fixture } },
  })) as Rolldown.RolldownOutput | Rolldown.RolldownOutput[];
  const [first] = [output].flat();
  return first?.output[0].code ?? '';
}

/** A page that runs `before` ahead of everything else, then the runtime. */
export function html(before = ''): string {
  const script = '<script type="module" src="/assets/page.js"></script>';
  return `<!doctype html><meta charset="utf-8"><title>App</title>${before}${script}<p>Hello`;
}

/** Starts the site on a free port of `localhost`, a secure context for browsers. */
export async function startSite(): Promise<Site> {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const files = new Map([
    ['/', html()],
    ['/assets/page.js', await bundle('page')],
    ['/sw.js', await bundle('worker')],
    ['/favicon.ico', ''],
  ]);
  const received: Received[] = [];
  const broken = new Set<string>();
  const app = await createApp(origin);
  app.use((request: Request, response: Response, next: NextFunction) => {
    received.push({ path: `${request.method} ${request.path}`, token: request.get('tab-token') });
    if (broken.has(request.path)) return response.status(500).end();
    const file = files.get(request.path);
    if (file === undefined || request.method !== 'GET') return next();
    response.type(request.path.endsWith('.js') ? 'text/javascript' : request.path.endsWith('.css') ? 'css' : 'html');
    response.send(file);
  });
  await app.listen(port);
  return {
    origin,
    files,
    received,
    broken,
    close: async () => {
      // Browsers keep connections; without this the server would wait for them.
      (app.getHttpServer() as Server).closeAllConnections();
      await app.close();
    },
  };
}

async function createApp(origins: string): Promise<INestApplication> {
  const module = await Test.createTestingModule({
    imports: [
      TabModule.forRoot({
        origins,
        apps: [{ id: 'com.example.web', platform: 'web', probes: PROBES as never, allowUnattested: true }],
        stores: memoryStores(),
        secrets: 'random',
      }),
    ],
    controllers: [ApiController],
  }).compile();
  return module.createNestApplication(new ExpressAdapter(), { rawBody: true, logger: false });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
