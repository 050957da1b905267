import { createHmac, createSecretKey, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { TabError } from '../errors/tab-error.js';
import { writeProofKeyId, type ProofKeyId } from './proof-key-id.js';
import { deriveKey, type Secret } from './secrets.js';
import { signatureNeeded } from './signature-needed.js';

/** Seconds that a proof key may have left at most, whatever its lifetime was configured to. */
export const PROOF_KEY_MAX_LIFE = 900;

/** Octets of the random part, by which no two keys of an instance are the same. */
const RANDOM_OCTETS = 16;

/** A proof key as it is handed to its instance, once. */
export interface IssuedProofKey {
  readonly kid: string;
  readonly octets: Buffer;
  /** Seconds. */
  readonly expiresIn: number;
}

/** What proof keys are made from. */
export interface ProofKeySettings {
  /** The first makes keys, all of them verify. */
  readonly secrets: readonly [Secret, ...Secret[]];
  /** The first configured origin: deployments that share a secret do not take each other's keys. */
  readonly origin: string;
  /** Seconds. */
  readonly lifetime: number;
  /** Derived keys kept in memory. */
  readonly cacheSize: number;
}

/**
 * Makes proof keys and verifies by them (PROTOCOL section 10). A key is derived from a shared secret and its whole `kid`, so
 * that none is stored, and nothing in the `kid`, its expiry included, can be changed.
 */
export class ProofKeys {
  /** Seconds. */
  readonly lifetime: number;
  readonly #origin: string;
  readonly #signing: Secret;
  readonly #secrets: ReadonlyMap<number, Secret>;
  readonly #derived: LRUCache<string, KeyObject>;

  constructor({ secrets, origin, lifetime, cacheSize }: ProofKeySettings) {
    this.lifetime = lifetime;
    this.#origin = origin;
    this.#signing = secrets[0];
    this.#secrets = new Map(secrets.map((secret) => [secret.id.readUInt32BE(), secret]));
    this.#derived = new LRUCache({ max: cacheSize });
  }

  /** When a key was made, in seconds, if its lifetime was the one that is configured now. */
  issuedAt({ expiresAt }: ProofKeyId): number {
    return expiresAt - this.lifetime;
  }

  /** Makes a key for an instance at `now` (seconds). */
  issue(instanceId: string, now: number): IssuedProofKey {
    const expiresAt = now + this.lifetime;
    const random = randomBytes(RANDOM_OCTETS);
    const kid = writeProofKeyId(instanceId, { secretId: this.#signing.id, expiresAt, random });
    return { kid, octets: this.#derive(this.#signing, kid), expiresIn: this.lifetime };
  }

  /**
   * Ensures that `mac` over `input` is by the key that `id` names, and that this key is good at `now` (seconds).
   *
   * @throws TabError `step_up_required` for a key that is none any more, `bad_signature`
   */
  check(id: ProofKeyId, input: Uint8Array, mac: Uint8Array, now: number): void {
    const secret = this.#usableSecret(id, now);
    const known = this.#derived.get(id.text);
    const key = known ?? createSecretKey(this.#derive(secret, id.text));
    const expected = createHmac('sha256', key).update(input).digest();
    if (mac.length !== expected.length || !timingSafeEqual(mac, expected))
      throw new TabError('bad_signature', 'MAC does not verify');
    // Only now: made-up ids must not push the keys out that are in use.
    if (known === undefined) this.#derived.set(id.text, key);
  }

  /** Ensures, each time and before any MAC, that the key has not expired, could have been issued, and that its secret is known. */
  #usableSecret({ secretId, expiresAt }: ProofKeyId, now: number): Secret {
    if (now >= expiresAt) throw signatureNeeded('proof key has expired');
    if (expiresAt > now + PROOF_KEY_MAX_LIFE) throw signatureNeeded('proof key expires too late');
    const secret = this.#secrets.get(secretId);
    if (secret === undefined) throw signatureNeeded('proof key is by an unknown secret');
    return secret;
  }

  #derive(secret: Secret, kid: string): Buffer {
    return deriveKey(secret, `tab-proof-key-v1\0${this.#origin}\0${kid}`);
  }
}
