// The peers as Nest guards: each as its documentation shows it, with the key of the issuer at hand, so that none fetches.
import { createHash, createPublicKey } from 'node:crypto';
import { HttpException, UnauthorizedException } from '@nestjs/common';
import { AUDIENCE, ISSUER, ORIGIN } from './facts.mjs';

const requestOf = (context) => context.switchToHttp().getRequest();
const refuse = (cause) => {
  throw new UnauthorizedException('not accepted', { cause });
};

async function noOp() {
  return class NoOpGuard {
    canActivate() {
      return true;
    }
  };
}

/** Bearer tokens; the most used guard of Nest applications. */
async function passportJwt(issuerKey) {
  const { AuthGuard, PassportStrategy } = await import('@nestjs/passport');
  const { ExtractJwt, Strategy } = (await import('passport-jwt')).default;
  class JwtStrategy extends PassportStrategy(Strategy) {
    constructor() {
      super({
        jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
        secretOrKey: createPublicKey({ key: issuerKey, format: 'jwk' }),
        algorithms: ['ES256'],
        issuer: ISSUER,
        audience: AUDIENCE,
      });
    }
    validate({ sub }) {
      return { sub };
    }
  }
  return { guard: AuthGuard('jwt'), providers: [JwtStrategy] };
}

/** Ids of proofs seen, for as long as a proof is good. They expire in the order in which they came. */
class SeenProofs {
  #until = new Map();

  add(id, now) {
    for (const [each, until] of this.#until) {
      if (until > now) break;
      this.#until.delete(each);
    }
    if (this.#until.has(id)) return false;
    this.#until.set(id, now + 70);
    return true;
  }
}

/** What a careful engineer writes: RFC 9449 section 4.3 with jose, and a `Map` against replays. */
async function joseByHand(issuerKey) {
  const { EmbeddedJWK, calculateJwkThumbprint, importJWK, jwtVerify } = await import('jose');
  const key = await importJWK(issuerKey, 'ES256');
  const seen = new SeenProofs();
  const forTokens = { issuer: ISSUER, audience: AUDIENCE, typ: 'at+jwt', algorithms: ['ES256'] };
  const forProofs = { typ: 'dpop+jwt', algorithms: ['ES256'], maxTokenAge: 60, clockTolerance: 5 };
  return class JoseGuard {
    async canActivate(context) {
      const request = requestOf(context);
      const [scheme, accessToken] = String(request.headers.authorization).split(' ');
      if (scheme !== 'DPoP') refuse();
      const { payload: token } = await jwtVerify(accessToken, key, forTokens).catch(refuse);
      const { dpop } = request.headers;
      const { payload: proof, protectedHeader } = await jwtVerify(String(dpop), EmbeddedJWK, forProofs).catch(refuse);
      const [path] = (request.originalUrl ?? request.url).split('?');
      if (proof.htm !== request.method || proof.htu !== ORIGIN + path) refuse();
      if (proof.ath !== createHash('sha256').update(accessToken).digest('base64url')) refuse();
      if (token.cnf?.jkt !== (await calculateJwkThumbprint(protectedHeader.jwk))) refuse();
      if (typeof proof.jti !== 'string' || !seen.add(proof.jti, Date.now() / 1000)) refuse();
      request.user = { sub: token.sub };
      return true;
    }
  };
}

async function oauth4webapi(issuerKey) {
  const { customFetch, jwksCache, validateJwtAccessToken } = await import('oauth4webapi');
  const server = { issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` };
  const jwks = { keys: [{ ...issuerKey, kid: 'issuer', alg: 'ES256', use: 'sig' }] };
  const options = {
    requireDPoP: true,
    [jwksCache]: { jwks, uat: Math.floor(Date.now() / 1000) },
    // It asks anew every five minutes; the answer costs no network here.
    [customFetch]: async () => Response.json(jwks),
  };
  return class OAuth4WebApiGuard {
    async canActivate(context) {
      const request = requestOf(context);
      const { authorization, dpop } = request.headers;
      const url = ORIGIN + (request.originalUrl ?? request.url);
      const asked = new Request(url, { method: request.method, headers: { authorization, dpop } });
      request.user = await validateJwtAccessToken(server, asked, AUDIENCE, options).catch(refuse);
      return true;
    }
  };
}

/** What its middleware reads of an Express request, of a Fastify request. */
function likeExpress(request) {
  if (typeof request.get === 'function') return request;
  const { headers, query, body, method, protocol, originalUrl } = request;
  return {
    headers,
    query,
    body,
    method,
    protocol,
    originalUrl,
    get: (name) => headers[name.toLowerCase()],
    is: () => false,
  };
}

async function expressOAuth2(issuerKey) {
  const { auth } = (await import('express-oauth2-jwt-bearer')).default;
  const verify = auth({
    issuer: ISSUER,
    audience: AUDIENCE,
    publicKey: issuerKey,
    tokenSigningAlg: 'ES256',
    dpop: { enabled: true, required: true },
  });
  return class ExpressOAuth2Guard {
    canActivate(context) {
      const http = context.switchToHttp();
      return new Promise((resolve, reject) => {
        const next = (error) =>
          error === undefined
            ? resolve(true)
            : reject(new HttpException('not accepted', error.status ?? 500, { cause: error }));
        verify(likeExpress(http.getRequest()), http.getResponse(), next);
      });
    }
  };
}

const GUARDS = {
  'no-op': noOp,
  'passport-jwt': passportJwt,
  jose: joseByHand,
  oauth4webapi,
  'express-oauth2-jwt-bearer': expressOAuth2,
};

/**
 * The guard of a peer, and what it wants as providers.
 *
 * @param {JsonWebKey} issuerKey public key of the issuer of access tokens
 */
export async function peerGuard(name, issuerKey) {
  const made = await GUARDS[name](issuerKey);
  return typeof made === 'function' ? { guard: made, providers: [] } : made;
}
