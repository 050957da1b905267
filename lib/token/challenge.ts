import { createHmac, createSecretKey, randomFillSync, timingSafeEqual, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { TabError } from '../errors/tab-error.js';
import { decodeBase64url } from './base64url.js';
import { NODE_CLOCK_DIFFERENCE } from './clock.js';
import { deriveKey, type Secret } from './secrets.js';

/** What a challenge is good for: enrolling, or making request tokens. */
export type ChallengePurpose = 'enrol' | 'request';

/** A challenge that was found authentic. Times are seconds since the epoch. */
export interface AuthenticChallenge {
  readonly text: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/*
 * Layout, 48 octets, 64 characters of base64url with no spare bits, so that one challenge has exactly one text:
 *   version 1 | kind 1 | secret id 4 | issued at 6 | lifetime 2 | random 18 | MAC 16
 * The MAC covers everything before it and, for a challenge given to a verified instance, that instance's id.
 */
const OFFSET = { version: 0, kind: 1, secretId: 2, issuedAt: 6, lifetime: 12, random: 14, mac: 32, end: 48 } as const;
const VERSION = 1;
const KIND = { enrol: 1, request: 2, instanceRequest: 3 } as const;

/** Challenges whose MAC was found good lately are remembered, since a client uses one for many requests; about 3 MB at most. */
const REMEMBERED = 10_000;

/** What the MAC of a challenge vouches for; all of it follows from its text alone. */
interface GoodMac {
  readonly challenge: AuthenticChallenge;
  readonly kind: number;
  /** The only instance that it is good for; undefined where it is good for any. */
  readonly boundTo: string | undefined;
}

/** Makes and checks challenges: stateless, authenticated by keys derived from secrets that all nodes share (PROTOCOL section 4). */
export class Challenges {
  readonly #lifetime: number;
  readonly #signing: { readonly id: Buffer; readonly key: KeyObject };
  /** Key objects: a MAC by octets imports them anew each time, which is dear on Node 24. */
  readonly #keys = new Map<number, KeyObject>();
  readonly #good = new LRUCache<string, GoodMac>({ max: REMEMBERED });

  /**
   * @param secrets the first makes challenges, all of them verify
   * @param lifetime seconds
   * @param epoch life of a nonce store that forgets; challenges of another life do not verify, so that nothing spent
   *   in a forgotten life can be spent again
   */
  constructor(secrets: readonly [Secret, ...Secret[]], lifetime: number, epoch = '') {
    this.#lifetime = lifetime;
    for (const secret of secrets)
      this.#keys.set(secret.id.readUInt32BE(), createSecretKey(deriveKey(secret, `tab-challenge-v1\0${epoch}`)));
    const [first] = secrets;
    this.#signing = { id: first.id, key: this.#keys.get(first.id.readUInt32BE()) as KeyObject };
  }

  /** Makes a challenge at `now` (seconds); with `instanceId` it is good for that instance only. */
  issue(purpose: ChallengePurpose, now: number, instanceId?: string): string {
    const octets = Buffer.alloc(OFFSET.end);
    octets[OFFSET.version] = VERSION;
    octets[OFFSET.kind] = kindOf(purpose, instanceId);
    this.#signing.id.copy(octets, OFFSET.secretId);
    octets.writeUIntBE(now, OFFSET.issuedAt, 6);
    octets.writeUInt16BE(this.#lifetime, OFFSET.lifetime);
    randomFillSync(octets, OFFSET.random, OFFSET.mac - OFFSET.random);
    mac(this.#signing.key, octets, instanceId).copy(octets, OFFSET.mac);
    return octets.toString('base64url');
  }

  /**
   * Ensures that a challenge is ours, for this purpose and instance, and not expired.
   *
   * @throws TabError `use_tab_nonce`
   */
  check(text: string | undefined, purpose: ChallengePurpose, now: number, instanceId?: string): AuthenticChallenge {
    if (text === undefined) throw refused('challenge is missing');
    const challenge = this.#rememberedAs(text, purpose, instanceId) ?? this.#authentic(text, purpose, instanceId);
    if (challenge.issuedAt > now + NODE_CLOCK_DIFFERENCE) throw refused('challenge is from the future');
    if (now >= challenge.expiresAt) throw refused('challenge has expired');
    return challenge;
  }

  /** The challenge, if its MAC was found good before, for this purpose and instance. */
  #rememberedAs(text: string, purpose: ChallengePurpose, instanceId?: string): AuthenticChallenge | undefined {
    const good = this.#good.get(text);
    if (good === undefined || good.kind !== kindOf(purpose, good.boundTo)) return undefined;
    return good.boundTo === undefined || good.boundTo === instanceId ? good.challenge : undefined;
  }

  #authentic(text: string, purpose: ChallengePurpose, instanceId?: string): AuthenticChallenge {
    const octets = decodeBase64url(text);
    if (octets?.length !== OFFSET.end || octets[OFFSET.version] !== VERSION)
      throw refused('challenge is not one of ours');
    const kind = octets[OFFSET.kind] as number;
    const boundTo = kind === KIND.instanceRequest ? instanceId : undefined;
    if (kind !== kindOf(purpose, boundTo)) throw refused('challenge is for another purpose');
    this.#checkMac(octets, boundTo);
    const issuedAt = octets.readUIntBE(OFFSET.issuedAt, 6);
    const challenge = { text, issuedAt, expiresAt: issuedAt + octets.readUInt16BE(OFFSET.lifetime) };
    this.#good.set(text, { challenge, kind, boundTo });
    return challenge;
  }

  #checkMac(octets: Buffer, boundTo: string | undefined): void {
    const key = this.#keys.get(octets.readUInt32BE(OFFSET.secretId));
    if (key === undefined) throw refused('challenge is by an unknown secret');
    if (!timingSafeEqual(mac(key, octets, boundTo), octets.subarray(OFFSET.mac)))
      throw refused('challenge is forged or of another instance');
  }
}

/** Whether a challenge is past half its life, when a client is given a new one. */
export function isPastHalfLife(challenge: AuthenticChallenge, now: number): boolean {
  return 2 * now > challenge.issuedAt + challenge.expiresAt;
}

function kindOf(purpose: ChallengePurpose, instanceId: string | undefined): number {
  if (purpose === 'enrol') return KIND.enrol;
  return instanceId === undefined ? KIND.request : KIND.instanceRequest;
}

function mac(key: KeyObject, octets: Buffer, instanceId: string | undefined): Buffer {
  const hmac = createHmac('sha256', key).update(octets.subarray(0, OFFSET.mac));
  if (instanceId !== undefined) hmac.update(instanceId);
  return hmac.digest().subarray(0, OFFSET.end - OFFSET.mac);
}

function refused(detail: string): TabError {
  return new TabError('use_tab_nonce', detail);
}
