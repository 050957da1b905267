import { All, Body, Controller, Delete, Get, Header, HttpCode, Param, Patch, Post, Put } from '@nestjs/common';
import { RequireTrust, TabSessions, Trust, type TrustContext } from 'nestjs-tab';

/** Handlers that ask for no session. Each names itself, so that a test sees which one ran. */
@RequireTrust({ session: 'none' })
@Controller('open')
export class OpenController {
  @Get()
  read(): object {
    return { handler: 'read' };
  }

  @Post()
  @HttpCode(200)
  write(@Body() body: unknown): object {
    return { handler: 'write', body: Buffer.isBuffer(body) ? { octets: body.length } : (body ?? null) };
  }

  @Put()
  replace(): object {
    return { handler: 'replace' };
  }

  @Patch()
  change(): object {
    return { handler: 'change' };
  }

  @Delete()
  remove(): object {
    return { handler: 'remove' };
  }

  @Get('items/:id')
  item(@Param('id') id: string): object {
    return { handler: 'item', id };
  }

  @Get('files/*')
  file(): object {
    return { handler: 'file' };
  }

  @RequireTrust({ body: false })
  @Post('upload')
  @HttpCode(200)
  upload(): object {
    return { handler: 'upload' };
  }

  @RequireTrust({ headers: ['idempotency-key'] })
  @Post('idempotent')
  @HttpCode(200)
  idempotent(): object {
    return { handler: 'idempotent' };
  }

  @Get('cached')
  @Header('Cache-Control', 'private, max-age=5')
  cached(): object {
    return { handler: 'cached' };
  }

  @All('any')
  any(): object {
    return { handler: 'any' };
  }

  @RequireTrust({ challenge: 'single-use' })
  @Post('once')
  @HttpCode(200)
  once(): object {
    return { handler: 'once' };
  }

  @RequireTrust({ challenge: 'none' })
  @Get('unchallenged')
  unchallenged(): object {
    return { handler: 'unchallenged' };
  }

  @Get('context')
  context(@Trust() trust: TrustContext): object {
    return { trust };
  }
}

interface Login {
  readonly subject: string;
  readonly credential?: string;
  readonly ttl?: number;
}

/** Starts, refreshes, uses and ends sessions. */
@Controller('session')
export class SessionController {
  readonly #sessions: TabSessions;

  constructor(sessions: TabSessions) {
    this.#sessions = sessions;
  }

  @RequireTrust({ session: 'none' })
  @Post()
  @HttpCode(200)
  async start(@Trust() trust: TrustContext, @Body() login: Login): Promise<object> {
    const { subject } = await this.#sessions.bind(trust, login);
    return { subject };
  }

  @RequireTrust()
  @Post('refresh')
  @HttpCode(200)
  async refresh(@Trust() trust: TrustContext, @Body() body: { credential: string }): Promise<object> {
    await this.#sessions.rebind(trust, body);
    return { refreshed: true };
  }

  @RequireTrust()
  @Get()
  who(@Trust() trust: TrustContext): object {
    return trust.verified ? { subject: trust.subject, session: trust.session } : { verified: false };
  }

  @RequireTrust({ session: 'optional' })
  @Get('optional')
  whoIfAny(@Trust() trust: TrustContext): object {
    return { subject: trust.verified ? (trust.subject ?? null) : null };
  }

  @RequireTrust()
  @Post('end')
  @HttpCode(200)
  async end(@Trust() trust: TrustContext): Promise<object> {
    return { ended: await this.#sessions.end(trust, 'signed out') };
  }
}
