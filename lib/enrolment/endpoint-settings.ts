import type { TabError } from '../errors/tab-error.js';
import { secondsOf } from '../token/clock.js';
import type { VerifierSettings } from '../verifier/settings.js';

/** What the endpoints need to know of the module's options. Also the injection token. */
export class EndpointSettings {
  /** Path prefix without slashes around it. */
  readonly prefix: string;
  readonly verifier: VerifierSettings & { readonly challengeLifetime: number };

  constructor(prefix: string, verifier: VerifierSettings & { readonly challengeLifetime: number }) {
    this.prefix = prefix.replace(/^\/+|\/+$/g, '');
    this.verifier = verifier;
  }

  /** Seconds. */
  get challengeLifetime(): number {
    return this.verifier.challengeLifetime;
  }

  /** The challenge for requests that goes with `use_tab_nonce`. */
  nonceFor(error: TabError): string | undefined {
    if (error.code !== 'use_tab_nonce') return undefined;
    return this.verifier.challenges.issue('request', secondsOf(this.verifier.clock));
  }
}
