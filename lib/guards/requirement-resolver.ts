import type { ExecutionContext, Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { TrustDeclared, TrustSkipped, type TrustDeclaration } from '../decorators/trust-metadata.js';
import { TabConfigError } from '../errors/tab-error.js';
import {
  DEFAULT_REQUIREMENT,
  mergeRequirements,
  type TrustRequirement,
  type TrustRequirementOptions,
} from '../trust/requirement.js';
import { checkRequirement } from '../trust/requirement-check.js';

/** A handler and the class through which it is called; inherited handlers have several. */
export interface HandlerRef {
  readonly controller: Type;
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type
  readonly handler: Function;
}

/** The handler of an execution context. */
export function handlerOf(context: ExecutionContext): HandlerRef {
  return { controller: context.getClass(), handler: context.getHandler() };
}

/** A class and those that it extends, nearest first. */
function classesFrom(controller: Type): Type[] {
  const classes: Type[] = [];
  for (
    let each = controller;
    typeof each === 'function' && each !== Function.prototype;
    each = Object.getPrototypeOf(each) as Type
  ) {
    classes.push(each);
  }
  return classes;
}

/** Something that is the same for every request to a handler. */
type PerHandler<T> = WeakMap<object, Map<Type, T>>;

function remembered<T>(values: PerHandler<T>, { controller, handler }: HandlerRef, find: () => T): T {
  let byController = values.get(handler);
  if (byController === undefined) values.set(handler, (byController = new Map<Type, T>()));
  let value = byController.get(controller);
  if (value === undefined) byController.set(controller, (value = find()));
  return value;
}

function isLeftOut({ controller, handler }: HandlerRef): boolean {
  for (const target of [handler, ...classesFrom(controller)]) {
    // Where both are said, which start-up refuses, the strict one counts.
    if (Reflect.hasOwnMetadata(TrustDeclared.KEY, target)) return false;
    if (Reflect.getOwnMetadata(TrustSkipped.KEY, target) === true) return true;
  }
  return false;
}

/** Finds the requirement of a handler: module < class < method, a named policy below the members said beside it. Resolved once per handler. */
export class RequirementResolver {
  readonly #reflector = new Reflector();
  readonly #policies: ReadonlyMap<string, TrustRequirementOptions>;
  readonly #resolved: PerHandler<TrustRequirement> = new WeakMap();
  readonly #skipped: PerHandler<boolean> = new WeakMap();
  /** The requirement where nothing else is said. */
  readonly base: TrustRequirement;

  /** @throws TabConfigError when a policy can't mean what it says */
  constructor(
    policy: TrustRequirementOptions = {},
    policies: Readonly<Record<string, TrustRequirementOptions>> = {},
    mode: TrustRequirement['mode'] = 'enforce',
  ) {
    checkRequirement(policy, 'policy');
    for (const [name, each] of Object.entries(policies)) checkRequirement(each, `policies.${name}`);
    this.base = mergeRequirements(DEFAULT_REQUIREMENT, { mode }, policy);
    this.#policies = new Map(Object.entries(policies));
  }

  /**
   * Whether the handler is left out by `@SkipTrust()`. The nearest word counts: the handler's own, then that of its class,
   * then those of the classes above; what a base class leaves out, a class with `@RequireTrust()` takes in again.
   */
  isSkipped(ref: HandlerRef): boolean {
    return remembered(this.#skipped, ref, () => isLeftOut(ref));
  }

  /** Whether `@SkipTrust()` and `@RequireTrust()` stand on the handler at once, or on one of its classes. */
  isContradictory({ controller, handler }: HandlerRef): boolean {
    return [handler, ...classesFrom(controller)].some(
      (target) => Reflect.hasOwnMetadata(TrustDeclared.KEY, target) && Reflect.hasOwnMetadata(TrustSkipped.KEY, target),
    );
  }

  /** The requirement of a handler. */
  resolve(ref: HandlerRef): TrustRequirement {
    return remembered(this.#resolved, ref, () => this.#merge(ref));
  }

  /** The requirement of a named policy. @throws TabConfigError when there is none of that name */
  named(name: string): TrustRequirement {
    return mergeRequirements(this.base, this.#policy(name, 'policy'));
  }

  #merge({ controller, handler }: HandlerRef): TrustRequirement {
    const where = `@RequireTrust() on ${controller.name}`;
    return mergeRequirements(
      this.base,
      ...this.#levels(this.#reflector.get(TrustDeclared, controller), where),
      ...this.#levels(this.#reflector.get(TrustDeclared, handler as never), `${where}.${handler.name}`),
    );
  }

  #levels(declaration: TrustDeclaration | undefined, where: string): TrustRequirementOptions[] {
    const { policy, members = {} } = declaration ?? {};
    checkRequirement(members, where);
    return policy === undefined ? [members] : [this.#policy(policy, where), members];
  }

  #policy(name: string, where: string): TrustRequirementOptions {
    const policy = this.#policies.get(name);
    if (policy === undefined) {
      const known = [...this.#policies.keys()].map((each) => `'${each}'`).join(', ') || 'none yet';
      throw new TabConfigError(
        `${where}: there is no policy '${name}'; add it to the module's policies (known: ${known})`,
      );
    }
    return policy;
  }
}
