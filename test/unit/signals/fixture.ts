import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { JSONWebKeySet, JWK } from 'jose';
import { TabInstances } from '../../../lib/bindings/tab-instances.js';
import { TabSessions } from '../../../lib/bindings/tab-sessions.js';
import { SignalReceiver } from '../../../lib/signals/receiver.js';
import { SignalError } from '../../../lib/signals/signal-error.js';
import type { SignalRecord } from '../../../lib/signals/signal-record.js';
import type { SignalReceiverOptions, SignalTransmitterTrust } from '../../../lib/signals/signals.types.js';
import type { VerifierSettings } from '../../../lib/verifier/settings.js';
import { aKey, anInstanceOf, aSessionOf, NOW, SESSION_ID, someSettings, TestClock } from '../../utils/core/index.js';

export const ISS = 'https://idp.example';
export const AUDIENCE = 'https://bank.example/tab/events';
export const KID = 'signals-1';
export const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
export const SESSION_REVOKED = `${CAEP}session-revoked`;
export const COMPLIANCE = `${CAEP}device-compliance-change`;
export const RISK = `${CAEP}risk-level-change`;
export const INSTANCE = aKey().id;

export type Members = Readonly<Record<string, unknown>>;

/** A key of a transmitter, and its public set. */
export interface TransmitterKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwks: JSONWebKeySet;
}

export function aTransmitterKey(kid = KID): TransmitterKey {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...(pair.publicKey.export({ format: 'jwk' }) as JWK), kid };
  return { ...pair, jwks: { keys: [jwk] } };
}

export const idp = aTransmitterKey();
export const stranger = aTransmitterKey();

export const user = (sub: string, iss = ISS) => ({ format: 'iss_sub', iss, sub });
export const opaque = (id: string) => ({ format: 'opaque', id });
export const complex = (members: Members) => ({ format: 'complex', ...members });

const segment = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Signs whatever it is given with ES256. */
export function signSet(header: unknown, claims: unknown, key: KeyObject = idp.privateKey): string {
  const input = `${segment(header)}.${segment(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

let count = 0;

/** A valid `session-revoked` for Alice; members are laid over, undefined removes one. */
export function someClaims(change: Members = {}): Record<string, unknown> {
  count += 1;
  const claims = { iss: ISS, aud: AUDIENCE, iat: NOW, jti: `event-${count}`, sub_id: user('alice') };
  return { ...claims, events: { [SESSION_REVOKED]: {} }, ...change };
}

export interface SetParts {
  readonly claims?: Members;
  readonly header?: Members;
  readonly key?: KeyObject;
}

/** A valid token unless a part says otherwise. */
export function aSet({ claims, header, key }: SetParts = {}): string {
  return signSet({ typ: 'secevent+jwt', alg: 'ES256', kid: KID, ...header }, someClaims(claims), key);
}

/** An event about a subject. */
export const eventSet = (type: string, subId: unknown, payload: Members = {}, claims: Members = {}): string =>
  aSet({ claims: { sub_id: subId, events: { [type]: payload }, ...claims } });

/** A server with an enrolled instance, on which Alice has a session, and a receiver that trusts `idp`. */
export class SignalWorld {
  readonly clock: TestClock;
  readonly settings: VerifierSettings;
  readonly receiver: SignalReceiver;
  readonly instances: TabInstances;
  readonly sessions: TabSessions;
  readonly records: SignalRecord[] = [];

  constructor(
    options: Partial<SignalReceiverOptions> = {},
    transmitter: Partial<SignalTransmitterTrust> = {},
    change: Partial<VerifierSettings> = {},
    clock = new TestClock(),
  ) {
    this.clock = clock;
    this.settings = someSettings(change, this.clock);
    this.instances = new TabInstances(this.settings);
    this.sessions = new TabSessions({ ...this.settings, verifiesCredentials: false, exposeDetail: false });
    this.receiver = new SignalReceiver(
      {
        audience: AUDIENCE,
        transmitters: [{ iss: ISS, jwks: idp.jwks, ...transmitter }],
        onDuplicate: 'acknowledge',
        ...options,
      },
      { instances: this.instances, sessions: this.sessions, settings: this.settings },
      (record) => this.records.push(record),
    );
  }

  async ready(): Promise<this> {
    await this.settings.bindings.saveInstance(anInstanceOf(aKey()));
    await this.settings.bindings.bind(aSessionOf(aKey()));
    return this;
  }

  /** Starts a session of Alice on the instance, or of somebody else on another. */
  async session(id: string, change: Parameters<typeof aSessionOf>[1] = {}): Promise<void> {
    const parts = { id: id.padEnd(22, 'x'), credentialHash: null, createdAt: this.clock.seconds, ...change };
    await this.settings.bindings.bind(aSessionOf(aKey(), parts));
  }

  /** `acted` and the like, or the error's code; `unavailable` for 503. */
  async take(jwt: string): Promise<string> {
    try {
      return await this.receiver.receive(jwt);
    } catch (error) {
      if (!(error instanceof SignalError)) throw error;
      return error.err ?? 'unavailable';
    }
  }

  /** Ids of sessions of a user that are live. */
  async live(subject = 'alice'): Promise<string[]> {
    const sessions = await this.settings.bindings.findSessions(subject);
    return sessions.filter(({ endedAt }) => endedAt === null).map(({ id }) => id.replace(/x+$/, ''));
  }

  async status(id = INSTANCE): Promise<string | undefined> {
    return (await this.instances.get(id))?.status;
  }
}

export const aSignalWorld = (...parts: ConstructorParameters<typeof SignalWorld>): Promise<SignalWorld> =>
  new SignalWorld(...parts).ready();

export { NOW, SESSION_ID };
