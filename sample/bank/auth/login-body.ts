import { BadRequestException } from '@nestjs/common';

/** What `POST /auth/login` takes. */
export interface LoginBody {
  readonly username: string;
  readonly password: string;
}

const MAX_LENGTH = 200;

/** @throws BadRequestException that names the member, never its value */
export function readLogin(body: unknown): LoginBody {
  const { username, password } = (body ?? {}) as Record<string, unknown>;
  return { username: readText('username', username), password: readText('password', password) };
}

function readText(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= MAX_LENGTH) return value;
  throw new BadRequestException(`${name} must be a string of 1 to ${MAX_LENGTH} characters`);
}
