import { describe, expect, it } from 'vitest';
import {
  markProvenance,
  provenanceOf,
  UnverifiedContext,
  VerifiedContext,
  type TrustContext,
} from '../../../lib/trust/trust-context.js';

describe('provenance', () => {
  const provenance = { challenged: true, credentialHash: undefined, setHeader: () => undefined };
  const instance = {
    id: 'i',
    appId: 'a',
    appVersion: '1.0.0',
    platform: 'web',
    assurance: 'none',
    format: 'none',
  } as const;
  const evidence = { at: 0, found: [], clear: [], sdk: 's' };
  const members = { decision: 'd', instance, session: undefined, proof: 'signature', evidence, flags: [] } as const;

  it.each([
    ['a verified context', () => new VerifiedContext(members)],
    ['an unverified one', () => new UnverifiedContext('stale_token', 'd')],
  ])('%s: is known of the marked object only, never of a copy', (_, make) => {
    const context = make();
    expect(provenanceOf(context)).toBeUndefined();
    markProvenance(context, provenance);
    expect(provenanceOf(context)).toBe(provenance);
    expect(provenanceOf({ ...context } as TrustContext)).toBeUndefined();
    expect(provenanceOf(structuredClone(context))).toBeUndefined();
    expect(provenanceOf(Object.create(context) as TrustContext)).toBeUndefined();
    expect(provenanceOf(new Proxy(context, {}))).toBeUndefined();
    expect(provenanceOf(make())).toBeUndefined();
  });

  it('cannot be given to an object that merely looks like a context, and shows nowhere', () => {
    const context = new UnverifiedContext('stale_token', 'd');
    expect(() => markProvenance({ ...context } as never, provenance)).toThrow(TypeError);
    markProvenance(context, provenance);
    expect(new Set(Reflect.ownKeys(context))).toEqual(new Set(['code', 'decision', 'verified']));
    expect(JSON.stringify(context)).toBe('{"code":"stale_token","decision":"d","verified":false}');
    expect(() => Object.assign(context, { verified: true })).toThrow(TypeError);
  });
});
