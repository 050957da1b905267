import { Controller, Get } from '@nestjs/common';
import { SkipTrust } from 'nestjs-tab';

/** Open to everybody: load balancers have no instance key. */
@Controller('health')
export class HealthController {
  @Get()
  @SkipTrust()
  check(): { status: 'ok' } {
    return { status: 'ok' };
  }
}
