import 'reflect-metadata';
import type { ExecutionContext } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { TrustDeclared, TrustSkipped, type TrustDeclaration } from '../../../lib/decorators/trust-metadata.js';
import { TabConfigError } from '../../../lib/errors/tab-error.js';
import { handlerOf, RequirementResolver, type HandlerRef } from '../../../lib/guards/requirement-resolver.js';
import { DEFAULT_REQUIREMENT, type TrustRequirementOptions } from '../../../lib/trust/requirement.js';

interface Declared {
  onClass?: TrustDeclaration;
  onHandler?: TrustDeclaration;
  skipClass?: boolean;
  skipHandler?: boolean;
}

/** A controller with one handler, declared as given. */
function aHandler({ onClass, onHandler, skipClass, skipHandler }: Declared = {}): HandlerRef {
  class Transfers {
    create(): void {}
  }
  const handler = Transfers.prototype.create;
  const put = (decorator: ClassDecorator & MethodDecorator, target: 'class' | 'handler') =>
    target === 'class'
      ? decorator(Transfers)
      : decorator(
          Transfers.prototype,
          'create',
          Object.getOwnPropertyDescriptor(Transfers.prototype, 'create') as PropertyDescriptor,
        );
  if (onClass) put(TrustDeclared(onClass), 'class');
  if (onHandler) put(TrustDeclared(onHandler), 'handler');
  if (skipClass !== undefined) put(TrustSkipped(skipClass), 'class');
  if (skipHandler !== undefined) put(TrustSkipped(skipHandler), 'handler');
  return { controller: Transfers, handler };
}
const members = (each: TrustRequirementOptions): TrustDeclaration => ({ members: each });

describe('RequirementResolver', () => {
  it('is as strict as the default where nothing is said', () =>
    expect(new RequirementResolver().resolve(aHandler())).toEqual(DEFAULT_REQUIREMENT));

  it('lays class over module and handler over class, member by member', () => {
    const resolver = new RequirementResolver({
      session: 'none',
      challenge: 'none',
      minVersion: '1.0.0',
      runtime: { maxAge: 10, deny: [] },
    });
    const ref = aHandler({
      onClass: members({ challenge: 'recent', minVersion: '2.0.0', runtime: { maxAge: 20 } }),
      onHandler: members({ minVersion: '3.0.0' }),
    });
    expect(resolver.resolve(ref)).toEqual({
      ...DEFAULT_REQUIREMENT,
      session: 'none',
      challenge: 'recent',
      minVersion: '3.0.0',
      runtime: { ...DEFAULT_REQUIREMENT.runtime, deny: [], maxAge: 20 },
    });
  });

  it('lays members over the named policy beside them', () => {
    const resolver = new RequirementResolver({}, { transfer: { challenge: 'single-use', assurance: 'tee' } });
    const ref = aHandler({ onHandler: { policy: 'transfer', members: { assurance: 'strongbox' } } });
    expect(resolver.resolve(ref)).toEqual({ ...DEFAULT_REQUIREMENT, challenge: 'single-use', assurance: 'strongbox' });
    expect(resolver.named('transfer')).toEqual({ ...DEFAULT_REQUIREMENT, challenge: 'single-use', assurance: 'tee' });
  });

  it('resolves once, and apart for each class that inherits the handler', () => {
    const resolver = new RequirementResolver();
    const ref = aHandler();
    class Stricter extends (ref.controller as new () => object) {}
    TrustDeclared(members({ assurance: 'tee' }))(Stricter);
    expect(resolver.resolve(ref)).toBe(resolver.resolve({ ...ref }));
    expect(resolver.resolve({ ...ref, controller: Stricter }).assurance).toBe('tee');
    expect(resolver.resolve(ref).assurance).toBe('none');
  });

  it.each(['unknown', 'constructor', '__proto__', ''])('refuses the policy %j that nobody wrote', (policy) => {
    const resolver = new RequirementResolver({}, { transfer: {} });
    const call = () => resolver.resolve(aHandler({ onHandler: { policy } }));
    expect(call).toThrow(TabConfigError);
    expect(call).toThrow(/there is no policy '.*'; add it to the module's policies \(known: 'transfer'\)/);
    expect(() => new RequirementResolver().named(policy)).toThrow(/known: none yet/);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['the policy of the module', () => new RequirementResolver({ session: 'no' as never }), /^policy\.session: /],
    [
      'a named policy',
      () => new RequirementResolver({}, { transfer: { sesion: 1 } as never }),
      /^policies\.transfer: unknown member 'sesion'/,
    ],
    [
      'a handler',
      () => new RequirementResolver().resolve(aHandler({ onHandler: members({ body: 1 as never }) })),
      /^@RequireTrust\(\) on Transfers\.create\.body: /,
    ],
    [
      'a class',
      () => new RequirementResolver().resolve(aHandler({ onClass: members({ body: 1 as never }) })),
      /^@RequireTrust\(\) on Transfers\.body: /,
    ],
  ])('names where a mistake is: %s', (_what, call, message) => expect(call).toThrow(message));

  it.each<[string, Declared, boolean]>([
    ['nothing', {}, false],
    ['handler', { skipHandler: true }, true],
    ['class', { skipClass: true }, true],
    ['class, but the handler asks for trust', { skipClass: true, onHandler: members({}) }, false],
    ['handler, though the class asks for trust', { skipHandler: true, onClass: members({}) }, true],
    ['handler and class', { skipHandler: true, skipClass: true }, true],
    ['handler, though it asks for trust too', { skipHandler: true, onHandler: members({}) }, false],
    ['class, though it asks for trust too', { skipClass: true, onClass: members({}) }, false],
    ['false', { skipHandler: false, skipClass: false }, false],
  ])('skips where it says so: %s', (_what, declared, skipped) =>
    expect(new RequirementResolver().isSkipped(aHandler(declared))).toBe(skipped),
  );

  it.each<[string, ('skip' | 'trust' | 'both' | 'nothing')[], boolean]>([
    // Classes from the base to the one through which the handler is called.
    ['a base that skips', ['skip', 'nothing'], true],
    ['a base that skips, a class that asks for trust', ['skip', 'trust'], false],
    ['two levels between them', ['skip', 'nothing', 'nothing', 'trust'], false],
    ['two levels below them', ['skip', 'trust', 'nothing', 'nothing'], false],
    ['a base that asks for trust', ['trust', 'nothing'], false],
    ['a base that asks for trust, a class that skips', ['trust', 'skip'], true],
    ['back and forth', ['trust', 'skip', 'trust', 'skip', 'trust'], false],
    ['both on the base', ['both', 'nothing'], false],
    ['both on the base, a class that skips', ['both', 'skip'], true],
  ])('the nearest class counts: %s', (_what, words, skipped) => {
    const { controller, handler } = aHandler();
    const derived = words.reduce((base, word) => {
      class Derived extends (base as new () => object) {}
      if (word === 'skip' || word === 'both') TrustSkipped(true)(Derived);
      if (word === 'trust' || word === 'both') TrustDeclared({})(Derived);
      return Derived;
    }, controller);
    const resolver = new RequirementResolver();
    expect(resolver.isSkipped({ controller: derived, handler })).toBe(skipped);
    expect(resolver.isContradictory({ controller: derived, handler })).toBe(words.includes('both'));
    expect(resolver.isSkipped({ controller, handler })).toBe(false);
    // The word on the handler itself is the nearest of all.
    const open = aHandler({ skipHandler: true }).handler;
    expect(resolver.isSkipped({ controller: derived, handler: open })).toBe(true);
    const guarded = aHandler({ onHandler: {} }).handler;
    expect(resolver.isSkipped({ controller: derived, handler: guarded })).toBe(false);
  });

  it.each<[string, Declared, boolean]>([
    ['nothing', {}, false],
    ['trust on the class', { onClass: {} }, false],
    ['trust on the handler', { onHandler: {} }, false],
    ['both on the handler', { onHandler: {}, skipHandler: true }, true],
    ['both on the class', { onClass: {}, skipClass: true }, true],
    ['one on each', { onClass: {}, skipHandler: true }, false],
    ['one on each, the other way', { onHandler: {}, skipClass: true }, false],
  ])('knows what contradicts itself: %s', (_what, declared, expected) =>
    expect(new RequirementResolver().isContradictory(aHandler(declared))).toBe(expected),
  );

  it.each<[string, 'enforce' | 'monitor' | undefined, TrustRequirementOptions, TrustRequirementOptions, string]>([
    ['enforces by default', undefined, {}, {}, 'enforce'],
    ['is the mode of the module', 'monitor', {}, {}, 'monitor'],
    ['is that of the policy, which is nearer', 'monitor', { mode: 'enforce' }, {}, 'enforce'],
    ['is that of the handler, which is nearest', 'enforce', {}, { mode: 'monitor' }, 'monitor'],
    ['may be stricter than the module', 'monitor', {}, { mode: 'enforce' }, 'enforce'],
  ])('a requirement %s', (_what, mode, policy, onHandler, expected) =>
    expect(new RequirementResolver(policy, {}, mode).resolve(aHandler({ onHandler: members(onHandler) })).mode).toBe(
      expected,
    ),
  );

  it('takes the handler from the execution context', () => {
    const { controller, handler } = aHandler();
    const context = { getClass: () => controller, getHandler: () => handler } as unknown as ExecutionContext;
    expect(handlerOf(context)).toEqual({ controller, handler });
  });
});
