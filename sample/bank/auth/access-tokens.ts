import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { errors, jwtVerify, SignJWT } from 'jose';
import { BANK_CONFIG, type BankConfig } from '../config.js';

/** Seconds that an access token lasts. */
export const ACCESS_TOKEN_LIFETIME = 300;

const ISSUER = 'com.example.bank';
const TYPE = 'at+jwt';

/** An access token, as clients get it. */
export interface IssuedToken {
  readonly accessToken: string;
  /** Seconds. */
  readonly expiresIn: number;
}

/** Issues and verifies access tokens: JWTs (RFC 9068 in spirit) by HS256, under the secret that all processes share. */
@Injectable()
export class AccessTokens {
  readonly #config: BankConfig;

  constructor(@Inject(BANK_CONFIG) config: BankConfig) {
    this.#config = config;
  }

  /** A new token; no two are the same, since a credential belongs to one session only. */
  async issue(subject: string): Promise<IssuedToken> {
    const now = Math.floor(this.#config.clock() / 1000);
    const accessToken = await new SignJWT()
      .setProtectedHeader({ alg: 'HS256', typ: TYPE })
      .setJti(randomUUID())
      .setIssuer(ISSUER)
      .setAudience(ISSUER)
      .setSubject(subject)
      .setIssuedAt(now)
      .setExpirationTime(now + ACCESS_TOKEN_LIFETIME)
      .sign(this.#config.jwtSecret);
    return { accessToken, expiresIn: ACCESS_TOKEN_LIFETIME };
  }

  /** The user that a token was issued to; undefined when it is not ours or has expired. */
  async verify(token: string): Promise<{ subject: string } | undefined> {
    try {
      const { payload } = await jwtVerify(token, this.#config.jwtSecret, {
        algorithms: ['HS256'],
        typ: TYPE,
        issuer: ISSUER,
        audience: ISSUER,
        requiredClaims: ['sub', 'exp', 'jti'],
        currentDate: new Date(this.#config.clock()),
      });
      return payload.sub ? { subject: payload.sub } : undefined;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}
