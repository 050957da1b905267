import {
  Controller,
  ForbiddenException,
  Get,
  HttpCode,
  Post,
  Req,
  Res,
  ServiceUnavailableException,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { RequireTrust, SkipTrust, TabInstances, Trust, type TrustContext } from 'nestjs-tab';
import { DecisionFeed } from './decision-feed.js';

/** What the lab's page needs beside the bank itself. */
@Controller('lab')
export class LabController {
  readonly #feed: DecisionFeed;
  readonly #instances: TabInstances;

  constructor(feed: DecisionFeed, instances: TabInstances) {
    this.#feed = feed;
    this.#instances = instances;
  }

  /** What is decided, as it is decided. Open to everybody: `EventSource` sends no token, and there is nobody's name in it. */
  @Get('decisions')
  @SkipTrust()
  async decisions(@Req() { ip = '' }: Request, @Res() response: Response): Promise<void> {
    if (!this.#feed.hasRoom(ip)) {
      response.setHeader('Retry-After', '30');
      throw new ServiceUnavailableException('Too many listen already');
    }
    await this.#feed.tell(response, ip);
  }

  /** The user gives up the device that they are asking with, and no other: its key is refused from the next request on. */
  @Post('revoke')
  @HttpCode(204)
  @RequireTrust({ session: 'required' })
  async revoke(@Trust() trust: TrustContext): Promise<void> {
    // Watch mode lets through who is not verified; there is no device to revoke then.
    if (!trust.verified) throw new ForbiddenException();
    await this.#instances.revoke(trust.instance.id, 'given up by its user');
  }
}
