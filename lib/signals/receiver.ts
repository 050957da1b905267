import { timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { checkHeader, parseSignedJwt, verifySignedJwt } from '../attestation/jose/signed-jwt.js';
import { callStore } from '../bindings/store-call.js';
import { withDeadline } from '../errors/deadline.js';
import { sha256OfField } from '../token/digest.js';
import type { JsonObject } from '../token/json.js';
import { readEvent, type SignalEvent } from './events.js';
import { readReceiverOptions, type ReceiverSettings, type TrustedTransmitter } from './receiver-settings.js';
import {
  checkSetClaims,
  contentOfSetKey,
  jtiOfSetKey,
  readSetClaims,
  setKeptUntil,
  type SetClaims,
} from './set-claims.js';
import { asSignalError, SignalError } from './signal-error.js';
import type { SignalOutcome, SignalRecord } from './signal-record.js';
import { carryOut, findTarget, isActedOn, type Change, type Found, type SignalServices } from './signal-plan.js';
import type { SignalReceiverOptions, SignalTarget } from './signals.types.js';
import { checkedTargets, defaultTargets, readSubjectId } from './subject-id.js';

/** Media type of a Security Event Token (RFC 8417 section 7.2). */
export const SET_MEDIA_TYPE = 'application/secevent+jwt';
/** Longest token accepted, in octets. */
export const SET_MAX_BYTES = 65_536;

const SET_TYP = 'secevent+jwt';
const REFUSED_KEPT = 1000;

type Draft = { -readonly [Member in keyof SignalRecord]?: SignalRecord[Member] };

/** A token that has verified. */
interface VerifiedSet {
  readonly jwt: string;
  readonly claims: SetClaims;
  readonly transmitter: TrustedTransmitter;
}

/**
 * Takes Security Event Tokens (RFC 8417) with CAEP 1.0 events and does what they call for.
 *
 * A token is claimed before it is acted on, so that one that was captured and comes again ends no newer session. A failure
 * in between is answered 503; when the transmitter tries again, what is older than the event and still there is ended, so
 * nothing is lost by the claim. For a token that was carried out nothing older is left, and so it changes nothing.
 */
export class SignalReceiver {
  readonly #settings: ReceiverSettings;
  readonly #services: SignalServices;
  readonly #report: (record: SignalRecord) => void;
  /** Tokens refused for a used `jti`; they are known by their content now, but were never carried out. */
  readonly #refused = new LRUCache<string, true>({ max: REFUSED_KEPT });

  /** @throws TabConfigError when the options cannot work */
  constructor(
    options: SignalReceiverOptions,
    services: SignalServices,
    report: (record: SignalRecord) => void = () => undefined,
  ) {
    this.#settings = readReceiverOptions(options);
    this.#services = services;
    this.#report = report;
  }

  /**
   * Ensures that a delivery carries the configured `Authorization`, if one is configured.
   *
   * @param values of all `Authorization` headers of the request
   * @throws SignalError `authentication_failed`
   */
  authorize(values: readonly string[]): void {
    const expected = this.#settings.authorization;
    if (expected === undefined) return;
    const given = Buffer.from(sha256OfField(values.length === 1 ? (values[0] as string) : ''));
    if (timingSafeEqual(given, Buffer.from(expected))) return;
    const error = new SignalError('authentication_failed', 'Authorization is not the one configured');
    this.#tell({}, { outcome: 'refused', err: error.err, detail: error.detail });
    throw error;
  }

  /**
   * Takes one token.
   *
   * @param jwt or how reading it ends; that it could not be read is reported like every refusal
   * @throws SignalError with nothing changed, or, with status 503, perhaps half changed and to be sent again
   */
  async receive(jwt: string | Promise<string>): Promise<SignalOutcome> {
    const draft: Draft = {};
    try {
      const outcome = await this.#process(await jwt, draft);
      this.#tell(draft, { outcome });
      return outcome;
    } catch (cause) {
      const error = asSignalError(cause);
      const outcome = error.err === undefined ? 'failed' : 'refused';
      this.#tell(draft, { outcome, err: error.err, detail: error.detail });
      throw error;
    }
  }

  async #process(jwt: string, draft: Draft): Promise<SignalOutcome> {
    const set = await this.#verify(jwt, draft);
    draft.jti = set.claims.jti;
    const event = readEvent(set.claims.events);
    if (event === undefined) return 'ignored';
    draft.event = event.type;
    const found = await this.#find(set, event);
    const isNew = await this.#claim(set);
    if (!isActedOn(event, set.transmitter.respondsToRisk)) return this.#settle(isNew, 0, 'recorded');
    const changes = await carryOut(this.#services, found, this.#changeOf(set, event, isNew));
    draft.changes = changes;
    return this.#settle(isNew, changes, 'acted');
  }

  async #verify(jwt: string, draft: Draft): Promise<VerifiedSet> {
    const unverified = parseSignedJwt(jwt, SET_MAX_BYTES);
    const transmitter = this.#transmitterOf(unverified.claims);
    draft.iss = transmitter.iss;
    const hint = checkHeader(unverified.header, SET_TYP, transmitter.algorithms);
    // Refuses early what its own words condemn; nothing is accepted on them.
    this.#readClaims(unverified.claims);
    // Ensures that the transmitter said it; what was signed is read anew.
    const claims = this.#readClaims(await verifySignedJwt(jwt, hint, transmitter.keys));
    if (claims.iss !== transmitter.iss) throw new SignalError('invalid_issuer', 'iss is not that of the keys');
    return { jwt, claims, transmitter };
  }

  /** The transmitter that is named; keys of several are never tried in turn. */
  #transmitterOf({ iss }: JsonObject): TrustedTransmitter {
    const transmitter = typeof iss === 'string' ? this.#settings.transmitters.get(iss) : undefined;
    if (transmitter === undefined) throw new SignalError('invalid_issuer', 'iss is not a configured transmitter');
    return transmitter;
  }

  #readClaims(payload: JsonObject): SetClaims {
    const claims = readSetClaims(payload);
    checkSetClaims(claims, { ...this.#settings, now: this.#now() });
    return claims;
  }

  async #find({ claims, transmitter }: VerifiedSet, event: SignalEvent): Promise<Found> {
    const subId = readSubjectId(claims.subId);
    const { iss, subject } = transmitter;
    const { storeTimeout } = this.#services.settings;
    const targets: readonly SignalTarget[] =
      subject === undefined
        ? defaultTargets(subId, event, iss)
        : checkedTargets(await withDeadline('signal subject', storeTimeout, () => subject(subId, event)));
    const found = await findTarget(this.#services, event, targets);
    if (found === undefined) throw new SignalError('invalid_request', 'sub_id names nobody known here');
    return found;
  }

  /**
   * Claims the token, then its `jti`.
   *
   * @returns false when the same token was claimed before
   * @throws SignalError `invalid_request` when another token had the `jti`
   */
  async #claim({ jwt, claims }: VerifiedSet): Promise<boolean> {
    const { nonces, storeTimeout } = this.#services.settings;
    const until = setKeptUntil(claims);
    const claim = (key: string) => callStore('nonce store', storeTimeout, () => nonces.claim(key, until));
    const content = contentOfSetKey(claims, jwt);
    const isNew = (await claim(content)) === true;
    if (this.#refused.has(content) || (isNew && (await claim(jtiOfSetKey(claims))) !== true)) {
      this.#refused.set(content, true);
      throw new SignalError('invalid_request', 'jti was used by another token');
    }
    return isNew;
  }

  #changeOf({ claims, transmitter }: VerifiedSet, event: SignalEvent, isNew: boolean): Change {
    const reason = `signal ${event.type} from ${transmitter.iss}`;
    const startedAt = this.#services.settings.nonces.volatility?.startedAt;
    // A store that has forgotten what was before its start cannot say that a token from then is new.
    const mayBeOld = !isNew || (startedAt !== undefined && claims.iat < startedAt);
    return { reason, now: this.#now(), olderThan: mayBeOld ? claims.iat : undefined };
  }

  /** How a token that was carried out is answered; one that an earlier failure had left undone counts as new. */
  #settle(isNew: boolean, changes: number, outcome: SignalOutcome): SignalOutcome {
    if (isNew || changes > 0) return outcome;
    if (this.#settings.refusesDuplicates) throw new SignalError('invalid_request', 'delivered before');
    return 'duplicate';
  }

  #now(): number {
    return Math.floor(this.#services.settings.clock() / 1000);
  }

  #tell(draft: Draft, rest: Draft & { outcome: SignalOutcome }): void {
    this.#report({ at: this.#services.settings.clock(), ...draft, ...rest });
  }
}
