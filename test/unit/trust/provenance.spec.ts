import { describe, expect, it } from 'vitest';
import { markProvenance, provenanceOf, type TrustContext } from '../../../lib/trust/trust-context.js';

describe('provenance', () => {
  const context: TrustContext = { verified: false, code: 'stale_token', decision: 'd' };
  const provenance = { challenged: true, credentialHash: undefined, setHeader: () => undefined };

  it('is known of the marked object only, never of a copy', () => {
    expect(provenanceOf(context)).toBeUndefined();
    markProvenance(context, provenance);
    expect(provenanceOf(context)).toBe(provenance);
    expect(provenanceOf({ ...context })).toBeUndefined();
    expect(provenanceOf(structuredClone(context))).toBeUndefined();
    expect(provenanceOf(Object.create(context) as TrustContext)).toBeUndefined();
  });
});
