import { Injectable, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AccessTokens } from './access-tokens.js';

/**
 * Lets a request through only with an access token that is good now. `TabGuard` has said whose session it is; a session
 * also vouches for a token that has expired, so that it can be refreshed, and that is not enough to see or move money.
 */
@Injectable()
export class AccessTokenGuard implements CanActivate {
  readonly #tokens: AccessTokens;

  constructor(tokens: AccessTokens) {
    this.#tokens = tokens;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const token = bearerToken(http.getRequest<Request>().headers.authorization);
    if (token !== undefined && (await this.#tokens.verify(token))) return true;
    http.getResponse<Response>().setHeader('WWW-Authenticate', 'Bearer error="invalid_token"');
    throw new UnauthorizedException('The access token is missing, not valid, or has expired');
  }
}

function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
}
