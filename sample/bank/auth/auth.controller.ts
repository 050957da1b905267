import { Body, Controller, Delete, HttpCode, Post, UnauthorizedException } from '@nestjs/common';
import { RequireTrust, TabSessions, Trust, type TrustContext } from 'nestjs-tab';
import { AccessTokens, type IssuedToken } from './access-tokens.js';
import { readLogin } from './login-body.js';
import { subjectOf } from './subject.js';
import { Users } from './users.js';

/** Sessions: each belongs to the app instance that logged in, and to no other. */
@Controller('auth')
export class AuthController {
  readonly #users: Users;
  readonly #tokens: AccessTokens;
  readonly #sessions: TabSessions;

  constructor(users: Users, tokens: AccessTokens, sessions: TabSessions) {
    this.#users = users;
    this.#tokens = tokens;
    this.#sessions = sessions;
  }

  /**
   * The instance is verified, and there is no session yet: the password starts one. A proof key cannot; said here, it is refused
   * before the password is looked at, and not after it.
   */
  @Post('login')
  @HttpCode(200)
  @RequireTrust({ session: 'none', proof: 'signature' })
  async login(@Trust() trust: TrustContext, @Body() body: unknown): Promise<IssuedToken & { sessionId: string }> {
    const { username, password } = readLogin(body);
    if (!(await this.#users.isAuthentic(username, password))) {
      throw new UnauthorizedException('Wrong username or password');
    }
    const token = await this.#tokens.issue(username);
    const session = await this.#sessions.bind(trust, { subject: username, credential: token.accessToken });
    return { ...token, sessionId: session.id };
  }

  /** The session knows its access token, so an expired one will do here. */
  @Post('refresh')
  @HttpCode(200)
  async refresh(@Trust() trust: TrustContext): Promise<IssuedToken> {
    const token = await this.#tokens.issue(subjectOf(trust));
    await this.#sessions.rebind(trust, { credential: token.accessToken });
    return token;
  }

  @Delete('session')
  @HttpCode(204)
  async logout(@Trust() trust: TrustContext): Promise<void> {
    await this.#sessions.end(trust, 'logout');
  }
}
