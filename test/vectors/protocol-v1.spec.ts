import { execFileSync } from 'node:child_process';
import { createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { importJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import type { AppInstance, BoundSession } from '../../lib/bindings/binding.types.js';
import { derToJose } from '../../lib/defender/bridge/index.js';
import { describe as describeRequest, materialise } from '../../lib/defender/outgoing-request.js';
import { enrolmentBinding } from '../../lib/enrolment/binding-value.js';
import { Challenges } from '../../lib/token/challenge.js';
import {
  TOKEN_MAX_BYTES,
  TOKEN_TYPE,
  ENROL_TOKEN_TYPE,
  type PublicJwk,
  type TabClaims,
} from '../../lib/token/claims.types.js';
import { thumbprint as serverThumbprint } from '../../lib/token/jwk.js';
import * as mint from '../../lib/token/mint.js';
import { Origins } from '../../lib/token/origins.js';
import { readSecret } from '../../lib/token/secrets.js';
import { DEFAULT_REQUIREMENT, mergeRequirements, type TrustRequirementOptions } from '../../lib/trust/requirement.js';
import { TabVerifier } from '../../lib/verifier/tab-verifier.js';
import { anApp, anInstanceOf, aRequest, outcomeOf, requiring, someSettings, TestClock } from '../utils/core/index.js';

interface WireRequest {
  method: string;
  authority: string;
  target: string;
  headers: [string, string][];
  bodyBase64: string;
}

interface Token {
  name: string;
  key: string;
  header: { typ: string };
  claims: TabClaims;
  headerText: string;
  claimsText: string;
  signingInput: string;
  token: string;
  bodyText?: string;
}

interface Case {
  name: string;
  settings?: { origins?: string[]; credentialCookie?: string };
  policy?: TrustRequirementOptions;
  steps: { at?: number; request: WireRequest; expect: string }[];
}

interface Vectors {
  now: number;
  constants: Record<string, unknown>;
  keys: Record<string, { alg: 'ES256' | 'EdDSA'; jwk: PublicJwk; thumbprint: string; privateJwk: JsonWebKey }>;
  thumbprints: { name: string; jwk: PublicJwk; thumbprint: string }[];
  enrolmentBinding: {
    name: string;
    origin: string;
    challenge: string;
    appId: string;
    thumbprint: string;
    sha256Hex: string;
  }[];
  requestBinding: {
    name: string;
    url: string;
    boundHeaders?: string[];
    credentialCookie?: string;
    request: WireRequest;
    claims: mint.BindingClaims;
  }[];
  signatures: {
    convert: { name: string; derBase64: string; p1363Base64url: string; key?: string; inputUtf8?: string }[];
    refuse: { name: string; derBase64: string }[];
  };
  tokens: Token[];
  enrolTokens: Token[];
  server: {
    origins: string[];
    algorithms: ('ES256' | 'EdDSA')[];
    tokenLifetime: number;
    clockTolerance: number;
    challengeLifetime: number;
    secretUtf8: string;
    apps: { id: string; platform: string; minVersion?: string; probes: string[] }[];
    instances: (Pick<AppInstance, 'id' | 'status' | 'assurance' | 'format' | 'attestedAt' | 'attestationExpiresAt'> & {
      alg: 'ES256' | 'EdDSA';
      jwk: PublicJwk;
      app: string;
    })[];
    sessions: {
      id: string;
      instance: string;
      subject: string;
      credentialHash: string;
      expiresAt: number;
      endedAt?: number;
    }[];
    policy: TrustRequirementOptions;
  };
  verification: Case[];
  challenges: Case[];
}

const vectors = JSON.parse(readFileSync(new URL('protocol-v1.json', import.meta.url), 'utf8')) as Vectors;
const { keys, server } = vectors;
const octets = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));
const keyOf = (name: string) => keys[name] ?? expect.fail(`no key ${name}`);
const fieldOf = ({ headers }: WireRequest, name: string) =>
  headers.find(([each]) => each.toLowerCase() === name.toLowerCase())?.[1];

describe('the conformance file', () => {
  it('is what its generator writes, which shares no code with the library', () => {
    const script = new URL('../../scripts/make-protocol-vectors.mjs', import.meta.url);
    expect(() => execFileSync(process.execPath, [script.pathname, '--check'], { stdio: 'pipe' })).not.toThrow();
  });

  it('names every case once', () => {
    for (const group of [vectors.requestBinding, vectors.verification, vectors.challenges]) {
      const names = group.map(({ name }) => name);
      expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    }
  });

  it('has the constants of the library', () => {
    expect(vectors.constants).toMatchObject({
      typ: TOKEN_TYPE,
      enrolTyp: ENROL_TOKEN_TYPE,
      tokenMaxBytes: TOKEN_MAX_BYTES,
    });
  });

  it('covers every code that a request can be refused with, but those that need a broken store or a limit', () => {
    const codes = new Set(
      [...vectors.verification, ...vectors.challenges].flatMap(({ steps }) => steps.map((step) => step.expect)),
    );
    expect([...codes].sort()).toEqual([
      'accepted',
      'bad_signature',
      'instance_revoked',
      'instance_suspended',
      'insufficient_trust',
      'invalid_session',
      'malformed_token',
      'missing_token',
      'replayed_token',
      'request_mismatch',
      'stale_token',
      'unknown_instance',
      'unsupported_alg',
      'use_tab_nonce',
    ]);
  });
});

describe('thumbprints', () => {
  it.each(vectors.thumbprints)('$name', async ({ jwk, thumbprint }) => {
    expect(await mint.thumbprint(jwk)).toBe(thumbprint);
    expect(serverThumbprint(jwk)).toBe(thumbprint);
  });
});

describe('enrolment binding', () => {
  it.each(vectors.enrolmentBinding)('$name', async ({ sha256Hex, ...facts }) => {
    expect(Buffer.from(await mint.enrolmentBinding(facts)).toString('hex')).toBe(sha256Hex);
    expect(enrolmentBinding(facts).toString('hex')).toBe(sha256Hex);
  });
});

describe('request binding by the client', () => {
  it.each(vectors.requestBinding)('$name', async ({ url, request, claims, boundHeaders = [], credentialCookie }) => {
    const cookies = (fieldOf(request, 'cookie') ?? '').split(/; */);
    const cookie = cookies.find((pair) => credentialCookie && pair.startsWith(`${credentialCookie}=`));
    const authorization = fieldOf(request, 'authorization');
    const made = await mint.bindingClaims({
      method: request.method,
      url,
      content: octets(request.bodyBase64),
      contentType: fieldOf(request, 'content-type'),
      credential: authorization === undefined ? cookie?.replace(/^[^=]*=/, '') : mint.credentialOf(authorization),
      headers: Object.fromEntries(boundHeaders.map((name) => [name, fieldOf(request, name) ?? ''])),
    });
    expect(made).toEqual(claims);
  });

  it.each(vectors.requestBinding)(
    'by fetch: $name',
    async ({ url, request, claims, boundHeaders = [], credentialCookie }) => {
      const body = request.bodyBase64 === '' ? undefined : octets(request.bodyBase64);
      const sent = await materialise(url, { method: request.method, headers: request.headers, body });
      const described = describeRequest(sent, { boundHeaders, credentialCookie });
      expect(await mint.bindingClaims(described)).toEqual(claims);
    },
  );
});

describe('signatures', () => {
  it.each(vectors.signatures.convert)('$name', ({ derBase64, p1363Base64url, key, inputUtf8 }) => {
    const signature = derToJose(octets(derBase64), 32);
    expect(Buffer.from(signature).toString('base64url')).toBe(p1363Base64url);
    if (key === undefined || inputUtf8 === undefined) return;
    const publicKey = createPublicKey({ key: { ...keyOf(key).jwk }, format: 'jwk' });
    expect(verify('sha256', Buffer.from(inputUtf8), { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(
      true,
    );
  });

  it.each(vectors.signatures.refuse)('refused: $name', ({ derBase64 }) => {
    expect(() => derToJose(octets(derBase64), 32)).toThrow(TypeError);
  });
});

describe('tokens', () => {
  const all = [...vectors.tokens, ...vectors.enrolTokens];
  const mintBy = ({ header }: Token) => (header.typ === TOKEN_TYPE ? mint.mintToken : mint.mintEnrolToken);

  it.each(all)(
    '$name: the texts are those of header and claims',
    ({ headerText, claimsText, header, claims, signingInput }) => {
      expect([JSON.parse(headerText), JSON.parse(claimsText)]).toEqual([header, claims]);
      expect(signingInput).toBe(
        [headerText, claimsText].map((text) => Buffer.from(text).toString('base64url')).join('.'),
      );
    },
  );

  it.each(all)('$name: signed elsewhere', async (vector) => {
    const { alg, jwk } = keyOf(vector.key);
    const asked: string[] = [];
    const sign = async (data: Uint8Array) => {
      asked.push(Buffer.from(data).toString());
      return new Uint8Array(Buffer.from(vector.token.split('.')[2] ?? '', 'base64url'));
    };
    expect(await mintBy(vector)({ algorithm: alg, publicKey: jwk, sign }, vector.claims)).toBe(vector.token);
    expect(asked).toEqual([vector.signingInput]);
  });

  it.each(all)('$name: signed by WebCrypto', async (vector) => {
    const { alg, jwk, privateJwk } = keyOf(vector.key);
    const privateKey = (await importJWK(privateJwk, alg)) as CryptoKey;
    const token = await mintBy(vector)({ algorithm: alg, publicKey: jwk, privateKey }, vector.claims);
    // ECDSA of WebCrypto is not deterministic.
    if (alg === 'EdDSA') expect(token).toBe(vector.token);
    else expect(token.split('.', 2).join('.')).toBe(vector.signingInput);
  });

  it.each(all)('$name: its signature verifies', ({ key, signingInput, token }) => {
    const { alg, jwk } = keyOf(key);
    const publicKey = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    const signature = Buffer.from(token.split('.')[2] ?? '', 'base64url');
    const digest = alg === 'ES256' ? 'sha256' : null;
    expect(verify(digest, Buffer.from(signingInput), { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(
      true,
    );
  });
});

/** The server of the file over empty memory stores, with everything enrolled. */
async function aServer({ settings = {} }: Case) {
  const clock = new TestClock();
  // Long enough ago that nothing could have been spent in a life before.
  clock.seconds = vectors.now - 3600;
  const apps = server.apps.map((app) => anApp({ minVersion: null, ...app, suspendOn: [] }));
  const resolved = someSettings(
    {
      origins: new Origins(settings.origins ?? server.origins),
      algorithms: new Set(server.algorithms),
      apps: new Map(apps.map((app) => [app.id, app])),
      window: { lifetime: server.tokenLifetime, tolerance: server.clockTolerance },
      challenges: new Challenges([readSecret(server.secretUtf8)], server.challengeLifetime),
      credential: { cookie: settings.credentialCookie },
    },
    clock,
  );
  clock.seconds = vectors.now;
  const { bindings } = resolved;
  for (const { app, alg, jwk, ...instance } of server.instances) {
    const then = vectors.now - 1000;
    const past = { statusAt: then, attestedAt: then, createdAt: then };
    const whole = anInstanceOf({ id: instance.id, alg, jwk } as never, { ...past, ...instance, appId: app });
    await bindings.saveInstance({
      ...whole,
      statusReason: null,
      suspendedBy: whole.status === 'suspended' ? ['root'] : [],
    });
  }
  for (const { instance: instanceId, endedAt, ...session } of server.sessions) {
    const whole = { ...session, instanceId, previousCredentialHash: null, previousValidUntil: null, endReason: null };
    const outcome = await bindings.bind({ ...whole, createdAt: vectors.now - 500, endedAt: null } as BoundSession);
    expect(outcome).toBe('bound');
    if (endedAt !== undefined) await bindings.endSession(session.id, { reason: 'signed out', at: endedAt });
  }
  return { verifier: new TabVerifier(resolved), clock };
}

const groups = [
  ['verification', vectors.verification],
  ['challenges', vectors.challenges],
] as const;

describe.each(groups)('%s by the server', (_, cases) => {
  it.each(cases)('$name', async (each) => {
    const { verifier, clock } = await aServer(each);
    const requirement = requiring(mergeRequirements(DEFAULT_REQUIREMENT, server.policy, each.policy ?? {}));
    for (const { at = vectors.now, request, expect: expected } of each.steps) {
      clock.seconds = at;
      const { method, target, authority, headers, bodyBase64 } = request;
      const content = bodyBase64 === '' ? undefined : ({ kind: 'octets', octets: octets(bodyBase64) } as const);
      const received = aRequest({ method, target, authority, headers: headers.flat(), content });
      expect(outcomeOf(await verifier.verify(received, requirement))).toBe(expected);
    }
  });
});
