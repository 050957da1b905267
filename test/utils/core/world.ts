import type { AppInstance, BoundSession } from '../../../lib/bindings/binding.types.js';
import type { TabRequest } from '../../../lib/token/request.js';
import {
  mergeRequirements,
  DEFAULT_REQUIREMENT,
  type TrustRequirement,
  type TrustRequirementOptions,
} from '../../../lib/trust/requirement.js';
import type { TrustDecision } from '../../../lib/trust/trust-decision.js';
import type { VerifierSettings } from '../../../lib/verifier/settings.js';
import { TabVerifier } from '../../../lib/verifier/tab-verifier.js';
import type { Verification } from '../../../lib/verifier/verification.js';
import { NOW, TestClock } from './clock.js';
import { aKey, sha, type TestKey } from './keys.js';
import { aRequest, type RequestParts } from './request.js';
import { someSettings } from './settings.js';
import { aToken, type Members, type TokenParts } from './token.js';

export const SESSION_ID = 's'.repeat(32);
export const CREDENTIAL = 'access-token-of-alice';

/** An enrolled instance with this key. */
export function anInstanceOf(key: TestKey, change: Partial<AppInstance> = {}): AppInstance {
  return {
    id: key.id,
    appId: 'com.example.app',
    appVersion: '1.4.0',
    platform: 'android',
    algorithm: key.alg,
    publicKey: key.jwk,
    status: 'active',
    statusReason: null,
    statusAt: NOW - 1000,
    suspendedBy: [],
    assurance: 'software',
    format: 'client-attestation',
    attestedAt: NOW - 1000,
    attestationExpiresAt: NOW + 10_000,
    attestationClaims: {},
    createdAt: NOW - 1000,
    revision: 1,
    ...change,
  };
}

/** Alice's session on the instance of this key; it names `CREDENTIAL`. */
export function aSessionOf(key: TestKey, change: Partial<BoundSession> = {}): BoundSession {
  return {
    id: SESSION_ID,
    instanceId: key.id,
    subject: 'alice',
    credentialHash: sha(CREDENTIAL),
    previousCredentialHash: null,
    previousValidUntil: null,
    createdAt: NOW - 500,
    expiresAt: NOW + 3600,
    endedAt: null,
    endReason: null,
    ...change,
  };
}

/** A requirement over the default one, with `session: 'none'` unless said otherwise. */
export const requiring = (change: TrustRequirementOptions = {}): TrustRequirement =>
  mergeRequirements(DEFAULT_REQUIREMENT, { session: 'none' }, change);

/** The parts of a request with its token. */
export interface CallParts extends RequestParts {
  readonly token?: TokenParts;
  /** Whether the token names Alice's session and the request carries her credential. */
  readonly session?: boolean;
}

/** A server, its clock, an enrolled instance with a session, and requests that are accepted unless a part says otherwise. */
export class World {
  readonly clock = new TestClock();
  readonly key: TestKey;
  readonly settings: VerifierSettings;
  readonly verifier: TabVerifier;
  readonly decisions: TrustDecision[] = [];

  constructor(change: Partial<VerifierSettings> = {}, key = aKey()) {
    this.key = key;
    this.settings = someSettings(change, this.clock);
    this.verifier = new TabVerifier(this.settings, (decision) => void this.decisions.push(decision));
  }

  async enrol(key = this.key, change: Partial<AppInstance> = {}): Promise<this> {
    await this.settings.bindings.saveInstance(anInstanceOf(key, change));
    return this;
  }

  async startSession(key = this.key, change: Partial<BoundSession> = {}): Promise<this> {
    await this.settings.bindings.bind(aSessionOf(key, change));
    return this;
  }

  /** A request challenge that the server gives right now. */
  challenge(instanceId?: string): string {
    return this.settings.challenges.issue('request', this.clock.seconds, instanceId);
  }

  /** A request with its token. Claims follow from the request by PROTOCOL section 2; changes win over them. */
  request(parts: CallParts = {}): TabRequest {
    const headers = [...(parts.headers ?? []), ...(parts.session ? ['Authorization', `Bearer ${CREDENTIAL}`] : [])];
    const { claims, key = this.key, ...token } = parts.token ?? {};
    const text = aToken({
      ...token,
      key,
      claims: { ...this.claimsFor({ ...parts, headers }), ...(parts.session && { sid: SESSION_ID }), ...claims },
    });
    return aRequest({ ...parts, headers: [...headers, 'TAB-Token', text] });
  }

  verify(parts: CallParts = {}, requirement = requiring()): Promise<Verification> {
    return this.verifier.verify(this.request(parts), requirement);
  }

  private claimsFor(parts: RequestParts): Members {
    const { method = 'GET', target = '/accounts', content, headers = [] } = parts;
    const mark = target.indexOf('?');
    const field = (name: string) =>
      headers[headers.findIndex((each, i) => i % 2 === 0 && each.toLowerCase() === name) + 1];
    const has = (name: string) => headers.some((each, i) => i % 2 === 0 && each.toLowerCase() === name);
    const octets =
      typeof content === 'string' ? Buffer.from(content) : content?.kind === 'octets' ? content.octets : undefined;
    return {
      iat: this.clock.seconds,
      nonce: this.challenge(),
      htm: method,
      htu: `https://api.example.com${mark === -1 ? target : target.slice(0, mark)}`,
      ...(mark !== -1 && mark + 1 < target.length && { qsh: sha(target.slice(mark + 1)) }),
      ...(octets && { bh: sha(octets) }),
      ...(octets && has('content-type') && { ct: field('content-type')?.split(';')[0]?.trim().toLowerCase() }),
      ...(has('authorization') && {
        ath: sha(Buffer.from((field('authorization') ?? '').replace(/^\S+ +/, ''), 'latin1')),
      }),
      rt: { at: this.clock.seconds - 10, found: [], clear: ['root', 'debugger', 'hooking'], sdk: 'tests/1.0.0' },
    };
  }
}

/** A world with an enrolled instance and, where asked for, Alice's session. */
export async function aWorld(
  change: Partial<VerifierSettings> = {},
  options: { session?: boolean; key?: TestKey } = {},
): Promise<World> {
  const world = await new World(change, options.key).enrol();
  return options.session ? world.startSession() : world;
}
