import { createHash, timingSafeEqual } from 'node:crypto';
import {
  Inject,
  Injectable,
  NotFoundException,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { BANK_CONFIG, type BankConfig } from '../config.js';

/** Lets operators in by `Authorization: Operator <key>`. Without a configured key there is nothing here, for anybody. */
@Injectable()
export class OperatorGuard implements CanActivate {
  readonly #key: string | undefined;

  constructor(@Inject(BANK_CONFIG) config: BankConfig) {
    this.#key = config.operatorKey;
  }

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const response = http.getResponse<Response>();
    // Who may see the records is the operator; no cache on the way is.
    response.setHeader('Cache-Control', 'private, no-store');
    if (this.#key === undefined) throw new NotFoundException();
    if (isSame(operatorKey(http.getRequest<Request>().headers.authorization), this.#key)) return true;
    response.setHeader('WWW-Authenticate', 'Operator');
    throw new UnauthorizedException('Send Authorization: Operator <OPERATOR_KEY>');
  }
}

function operatorKey(authorization: string | undefined): string {
  return /^Operator +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
}

/** Hashed first: equal lengths, and a time that says nothing about where a guess goes wrong. */
function isSame(given: string, key: string): boolean {
  return timingSafeEqual(sha256(given), sha256(key));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
