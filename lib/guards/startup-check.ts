import { RequestMethod, type OnApplicationBootstrap, type Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { TabConfigError } from '../errors/tab-error.js';
import { ASSURANCE_LEVELS, meetsAssurance } from '../trust/assurance.js';
import { checkResolved } from '../trust/requirement-check.js';
import type { TrustRequirement } from '../trust/requirement.js';
import type { RegisteredApp } from '../verifier/settings.js';
import { HttpPlatform } from './http-platform.js';
import { RequirementResolver, type HandlerRef } from './requirement-resolver.js';
import { TabGuard } from './tab.guard.js';

/** Nest's own metadata keys, which it exports only internally. */
const METHOD_METADATA = 'method';
const GUARDS_METADATA = '__guards__';

/** Methods whose requests have no content in practice; on all others a body has to be bound. */
const BODILESS: ReadonlySet<RequestMethod> = new Set([RequestMethod.GET, RequestMethod.HEAD, RequestMethod.OPTIONS]);

/** Looks at every guarded route before the first request: what cannot work fails now, with a message that says why. */
export class StartupCheck implements OnApplicationBootstrap {
  readonly #scanner = new MetadataScanner();
  readonly #discovery: DiscoveryService;
  readonly #requirements: RequirementResolver;
  readonly #platform: HttpPlatform;
  readonly #apps: ReadonlyMap<string, RegisteredApp>;

  constructor(
    discovery: DiscoveryService,
    requirements: RequirementResolver,
    platform: HttpPlatform,
    apps: ReadonlyMap<string, RegisteredApp>,
  ) {
    this.#discovery = discovery;
    this.#requirements = requirements;
    this.#platform = platform;
    this.#apps = apps;
  }

  /** @throws TabConfigError */
  onApplicationBootstrap(): void {
    const guardedEverywhere = this.#isGlobalGuard();
    for (const { metatype } of this.#discovery.getControllers()) {
      if (typeof metatype !== 'function') continue;
      for (const ref of this.#handlersOf(metatype as Type)) {
        if (
          this.#isEnrolment(ref) ||
          ((guardedEverywhere || this.#isGuarded(ref)) && !this.#requirements.isSkipped(ref))
        ) {
          this.#checkRoute(ref);
        }
      }
    }
  }

  #handlersOf(controller: Type): HandlerRef[] {
    const prototype = controller.prototype as Record<string, unknown>;
    return this.#scanner
      .getAllMethodNames(prototype)
      .map((name) => prototype[name] as HandlerRef['handler'])
      .filter((handler) => typeof handler === 'function' && Reflect.hasMetadata(METHOD_METADATA, handler))
      .map((handler) => ({ controller, handler }));
  }

  #isGlobalGuard(): boolean {
    return this.#discovery
      .getProviders()
      .some(
        ({ token, instance }) =>
          typeof token === 'string' && token.startsWith('APP_GUARD') && instance instanceof TabGuard,
      );
  }

  #isGuarded({ controller, handler }: HandlerRef): boolean {
    const guards = [handler, controller].flatMap(
      (each) => (Reflect.getMetadata(GUARDS_METADATA, each) as unknown[] | undefined) ?? [],
    );
    return guards.some((guard) => guard === TabGuard || guard instanceof TabGuard || isSubclass(guard));
  }

  /** The enrolment endpoint binds its body without a guard. */
  #isEnrolment({ handler }: HandlerRef): boolean {
    return Reflect.getMetadata(BINDS_BODY, handler) === true;
  }

  #checkRoute(ref: HandlerRef): void {
    const name = `${ref.controller.name}.${ref.handler.name}`;
    const requirement = this.#requirements.resolve(ref);
    if (this.#requirements.isContradictory(ref)) {
      throw new TabConfigError(`${name}: @SkipTrust() and @RequireTrust() stand on the same class or method; keep one`);
    }
    checkResolved(requirement, name);
    this.#checkReach(name, requirement);
    const method = Reflect.getMetadata(METHOD_METADATA, ref.handler) as RequestMethod;
    const bindsBody = this.#isEnrolment(ref) || (requirement.body && !BODILESS.has(method));
    if (bindsBody && this.#platform.rawBody === false) {
      throw new TabConfigError(
        `${name} binds request bodies, but the application does not keep their octets: create it with NestFactory.create(AppModule, { rawBody: true }), or say body: false in the route's requirement`,
      );
    }
  }

  /** Ensures that some app can satisfy what the requirement asks of attestation. */
  #checkReach(name: string, requirement: TrustRequirement): void {
    const { assurance, attestationMaxAge, formats, runtime, keyBound, assertion } = requirement;
    const attesters = [...this.#apps.values()].flatMap((app) => [...app.attesters.values()]);
    const known = new Set(['none', ...attesters.map(({ format }) => format)]);
    const foreign = formats === 'any' ? undefined : formats.find((format) => !known.has(format));
    if (foreign !== undefined)
      throw new TabConfigError(`${name} names format '${foreign}', which no app can enrol with`);
    const usable = attesters.filter(({ format }) => formats === 'any' || formats.includes(format));
    if (assurance !== 'none' && !usable.some(({ reach }) => meetsAssurance(reach, assurance))) {
      throw new TabConfigError(
        `${name} asks for assurance '${assurance}', which no attestation format of any app reaches (levels: ${ASSURANCE_LEVELS.join(', ')})`,
      );
    }
    if (usable.length === 0 && (attestationMaxAge !== null || keyBound || runtime.stepUp.length > 0)) {
      throw new TabConfigError(`${name} asks for a recent attestation, but no app has a format to attest with`);
    }
    if (assertion && !usable.some((attester) => attester.assertRequest !== undefined)) {
      throw new TabConfigError(`${name} asks for assertions, which no attestation format of any app makes`);
    }
  }
}

/** Marks a handler that binds its body although no guard stands before it. */
export const BINDS_BODY = Symbol('tab:binds-body');

function isSubclass(guard: unknown): boolean {
  return typeof guard === 'function' && guard.prototype instanceof TabGuard;
}
