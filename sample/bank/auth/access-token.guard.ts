import {
  createParamDecorator,
  Injectable,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { AccessTokens } from './access-tokens.js';

/** The users of access tokens that were verified. */
const holders = new WeakMap<Request, string>();

/** Injects the user whose access token the request carries; undefined where no `AccessTokenGuard` stands. */
export const TokenHolder: () => ParameterDecorator = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  holders.get(context.switchToHttp().getRequest<Request>()),
);

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
    const request = http.getRequest<Request>();
    const token = bearerToken(request.headers.authorization);
    const holder = token === undefined ? undefined : await this.#tokens.verify(token);
    if (holder !== undefined) {
      holders.set(request, holder.subject);
      return true;
    }
    http.getResponse<Response>().setHeader('WWW-Authenticate', 'Bearer error="invalid_token"');
    throw new UnauthorizedException('The access token is missing, not valid, or has expired');
  }
}

function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
}
