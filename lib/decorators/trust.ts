import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { trustOf } from '../guards/http-exchange.js';
import type { TrustContext } from '../trust/trust-context.js';

/** Injects the `TrustContext` of the request; undefined in a handler that no `TabGuard` has guarded. */
export const Trust: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext): TrustContext | undefined => trustOf(context.switchToHttp().getRequest()),
);
