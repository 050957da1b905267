import { randomBytes } from 'node:crypto';
import type {
  AppInstance,
  BoundSession,
  Breach,
  Ending,
  Rebinding,
  VersionBlock,
} from '../../bindings/binding.types.js';

/** The time of the contract cases, seconds since the epoch. They use no other clock. */
export const NOW = 2_160_000_000;

const random = (bytes: number): string => randomBytes(bytes).toString('base64url');

/** A claim key: 22 characters of base64url. */
export const aKey = (): string => random(16);

/** A credential hash, or an instance id: 43 characters of base64url. */
export const aHash = (): string => random(32);

/** A session id. */
export const aSessionId = (): string => random(16);

/** The same letters in the other case. */
export const swapCase = (text: string): string =>
  text.replace(/[a-z]/gi, (letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()));

/** An instance as an enrolment writes it. */
export function anInstance(change: Partial<AppInstance> = {}): AppInstance {
  return {
    id: aHash(),
    appId: 'com.example.bank',
    appVersion: '1.2.3',
    platform: 'android',
    algorithm: 'ES256',
    publicKey: { kty: 'EC', crv: 'P-256', x: aHash(), y: aHash() },
    status: 'active',
    statusReason: null,
    statusAt: NOW,
    suspendedBy: [],
    assurance: 'tee',
    format: 'android-key',
    attestedAt: NOW,
    attestationExpiresAt: NOW + 90 * 86_400,
    attestationClaims: { model: 'Prüfgerät', patch: 202_601, flags: [true, null] },
    createdAt: NOW,
    revision: 1,
    ...change,
  };
}

/** A live session without a credential of its own. */
export function aSession(instance: Pick<AppInstance, 'id'>, change: Partial<BoundSession> = {}): BoundSession {
  return {
    id: aSessionId(),
    instanceId: instance.id,
    subject: 'user-1',
    credentialHash: null,
    previousCredentialHash: null,
    previousValidUntil: null,
    createdAt: NOW,
    expiresAt: NOW + 3600,
    endedAt: null,
    endReason: null,
    ...change,
  };
}

/** A refresh of a session. */
export function aRebinding(session: BoundSession, change: Partial<Rebinding> = {}): Rebinding {
  return {
    sessionId: session.id,
    instanceId: session.instanceId,
    credentialHash: aHash(),
    previousValidUntil: NOW + 40,
    now: NOW + 10,
    ...change,
  };
}

/** An ending a minute on. */
export const anEnding = (change: Partial<Ending> = {}): Ending => ({ reason: 'contract', at: NOW + 60, ...change });

/** A breach of an instance, answered with its suspension. */
export function aBreach(change: Partial<Breach> = {}): Breach {
  return {
    id: random(16),
    instanceId: aHash(),
    sessionId: aSessionId(),
    at: NOW,
    code: 'insufficient_trust',
    threats: ['root', 'x-test-frame'],
    action: 'suspend',
    detail: 'threat found: root — „Prüfung“',
    ...change,
  };
}

/** A version block of the app that the instances are of. */
export function aBlock(change: Partial<VersionBlock> = {}): VersionBlock {
  return { appId: 'com.example.bank', range: '<3.2.0', reason: 'leaks „keys“', at: NOW, ...change };
}

/** Runs `count` calls at once. */
export function race<T>(count: number, call: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => call(index)));
}
