// Whole tokens, from their texts to the compact form.
import { b64u, fixedOctets, keys, NOW, publicOf, signBy, verifies } from './crypto.mjs';
import { claimsOf, GET, headerOf, POST, SESSION } from './server.mjs';

function aToken(name, key, header, claims) {
  const headerText = JSON.stringify(header);
  const claimsText = JSON.stringify(claims);
  const signingInput = `${b64u(headerText)}.${b64u(claimsText)}`;
  const signature = signBy(key, signingInput);
  if (!verifies(key, signingInput, signature)) throw new Error(`${name} does not verify`);
  const token = `${signingInput}.${b64u(signature)}`;
  return { name, key, header, claims, headerText, claimsText, signingInput, token };
}

/** Members in the order: jti iat exp nonce, binding, sid, app, rt. */
function ordered(name, request, { exp, nonce, sid } = {}) {
  const { jti, iat, app, rt, ...binding } = claimsOf(name, request);
  const all = { jti, iat, exp, nonce, ...binding, sid, app, rt };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

const nonce = b64u(fixedOctets('request challenge', 32));

/** Request tokens. */
export function tokens() {
  const full = { ...POST, headers: [...POST.headers, ['Authorization', 'Bearer token-of-alice'], ['X-Id', '7']] };
  const make = (name, key, request, facts) => aToken(name, key, headerOf(key), ordered(name, request, facts));
  return [
    make('ES256, as small as can be', 'instance', GET),
    make('EdDSA, as small as can be', 'ed25519', GET),
    make('ES256, every claim', 'instance', { ...full, bound: ['X-Id'] }, { exp: NOW + 30, nonce, sid: SESSION }),
    make('EdDSA, every claim', 'ed25519', { ...full, bound: ['X-Id'] }, { exp: NOW + 30, nonce, sid: SESSION }),
  ];
}

/** Enrolment tokens, each with the body that it is for. */
export function enrolTokens() {
  return ['instance', 'ed25519'].map((key) => {
    const { alg, privateJwk } = keys[key];
    const name = `${alg}, format none`;
    const app = { id: 'com.example.bank', ver: '1.4.0', platform: 'android' };
    const bodyText = JSON.stringify({ app, attestation: { format: 'none' } });
    const request = {
      method: 'POST',
      target: '/tab/instances',
      headers: [['Content-Type', 'application/json']],
      body: Buffer.from(bodyText),
    };
    const { kty, crv, x, y } = publicOf(privateJwk);
    const jwk = y === undefined ? { kty, crv, x } : { kty, crv, x, y };
    const claims = ordered(name, request, { nonce: b64u(fixedOctets('enrolment challenge', 32)) });
    return { ...aToken(name, key, { typ: 'tab-enroll+jwt', alg, jwk }, claims), bodyText };
  });
}
