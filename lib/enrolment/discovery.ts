import type { TabAlgorithm } from '../token/claims.types.js';
import { TOKEN_MAX_BYTES } from '../token/claims.types.js';
import type { VerifierSettings } from '../verifier/settings.js';
import { NO_ATTESTATION } from './known-key-rules.js';

/** The discovery document (PROTOCOL section 5). */
export interface TabConfiguration {
  readonly version: 1;
  /** Absolute URLs. */
  readonly endpoints: { readonly challenge: string; readonly instances: string; readonly proofKeys?: string };
  readonly algs: readonly TabAlgorithm[];
  readonly proofKeys: boolean;
  readonly tokenLifetime: number;
  readonly tokenMaxBytes: number;
  readonly challengeLifetime: number;
  readonly formats: readonly string[];
}

/** All formats that some app may enrol with. */
function formatsOf(settings: VerifierSettings): string[] {
  const formats = new Set<string>();
  for (const app of settings.apps.values()) {
    if (app.allowUnattested) formats.add(NO_ATTESTATION);
    for (const format of app.attesters.keys()) formats.add(format);
  }
  return [...formats].sort();
}

/** Describes this deployment to clients, at the origin that the request came to. */
export function tabConfiguration(
  settings: VerifierSettings & { readonly challengeLifetime: number },
  authority: string | undefined,
  path: string,
): TabConfiguration {
  const base = settings.origins.select(authority).href + path;
  const proofKeys = settings.proofKeys !== undefined;
  return {
    version: 1,
    endpoints: {
      challenge: `${base}/challenge`,
      instances: `${base}/instances`,
      ...(proofKeys && { proofKeys: `${base}/proof-keys` }),
    },
    algs: [...settings.algorithms],
    proofKeys,
    tokenLifetime: settings.window.lifetime,
    tokenMaxBytes: TOKEN_MAX_BYTES,
    challengeLifetime: settings.challengeLifetime,
    formats: formatsOf(settings),
  };
}
