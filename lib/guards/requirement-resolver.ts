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

/** Finds the requirement of a handler: module < class < method, a named policy below the members said beside it. Resolved once per handler. */
export class RequirementResolver {
  readonly #reflector = new Reflector();
  readonly #policies: ReadonlyMap<string, TrustRequirementOptions>;
  readonly #resolved = new WeakMap<object, Map<Type, TrustRequirement>>();
  /** The requirement where nothing else is said. */
  readonly base: TrustRequirement;

  /** @throws TabConfigError when a policy can't mean what it says */
  constructor(policy: TrustRequirementOptions = {}, policies: Readonly<Record<string, TrustRequirementOptions>> = {}) {
    checkRequirement(policy, 'policy');
    for (const [name, each] of Object.entries(policies)) checkRequirement(each, `policies.${name}`);
    this.base = mergeRequirements(DEFAULT_REQUIREMENT, policy);
    this.#policies = new Map(Object.entries(policies));
  }

  /** Whether the handler, or else its class, is left out by `@SkipTrust()`; a handler's own `@RequireTrust()` outweighs its class. */
  isSkipped({ controller, handler }: HandlerRef): boolean {
    if (this.#reflector.get(TrustSkipped, handler as never) === true) return true;
    if (this.#reflector.get(TrustDeclared, handler as never) !== undefined) return false;
    return this.#reflector.get(TrustSkipped, controller) === true;
  }

  /** Whether `@RequireTrust()` stands on the handler or its class. */
  isDeclared({ controller, handler }: HandlerRef): boolean {
    return [handler, controller].some((each) => this.#reflector.get(TrustDeclared, each as never) !== undefined);
  }

  /** The requirement of a handler. */
  resolve(ref: HandlerRef): TrustRequirement {
    let byController = this.#resolved.get(ref.handler);
    if (byController === undefined) this.#resolved.set(ref.handler, (byController = new Map<Type, TrustRequirement>()));
    let requirement = byController.get(ref.controller);
    if (requirement === undefined) byController.set(ref.controller, (requirement = this.#merge(ref)));
    return requirement;
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
