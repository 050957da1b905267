import type { Provider } from '@nestjs/common';
import { DiscoveryService, HttpAdapterHost } from '@nestjs/core';
import { TabApps } from './bindings/tab-apps.js';
import { TabInstances } from './bindings/tab-instances.js';
import { TabSessions } from './bindings/tab-sessions.js';
import { EndpointSettings } from './enrolment/endpoint-settings.js';
import { EnrolmentService } from './enrolment/enrolment.service.js';
import { GuardSettings } from './guards/guard-settings.js';
import { HttpPlatform } from './guards/http-platform.js';
import { RequirementResolver } from './guards/requirement-resolver.js';
import { StartupCheck } from './guards/startup-check.js';
import { TabGuard } from './guards/tab.guard.js';
import { TAB_ENDPOINTS, TAB_OPTIONS } from './tab.constants.js';
import { checkMembers } from './tab-options.check.js';
import type { TabOptions } from './tab-options.js';
import { TabRuntime } from './tab-runtime.js';
import { TabSweeper } from './tab.sweeper.js';
import { TabDecisions } from './telemetry/tab-decisions.js';
import { sessionRefusal } from './verifier/decision-record.js';
import { TabVerifier } from './verifier/tab-verifier.js';

/** How the framework-free parts are put together. */
export const TAB_PROVIDERS: Provider[] = [
  { provide: TabRuntime, inject: [TAB_OPTIONS], useFactory: (options: TabOptions) => new TabRuntime(options) },
  { provide: GuardSettings, useExisting: TabRuntime },
  {
    provide: RequirementResolver,
    inject: [TAB_OPTIONS],
    useFactory: ({ policy, policies, mode }: TabOptions) => new RequirementResolver(policy, policies, mode),
  },
  {
    provide: TabDecisions,
    inject: [TAB_OPTIONS, TabRuntime],
    useFactory: ({ decisions = {} }: TabOptions, { clock, storeTimeout }: TabRuntime) => {
      checkMembers(decisions, ['store', 'redact', 'queueSize'], 'decisions');
      return new TabDecisions({ ...decisions, clock, storeTimeout });
    },
  },
  {
    provide: TabVerifier,
    inject: [TabRuntime, TabDecisions],
    useFactory: (runtime: TabRuntime, decisions: TabDecisions) =>
      new TabVerifier(runtime, (decision) => decisions.record(decision)),
  },
  { provide: TabApps, inject: [TabRuntime], useFactory: (runtime: TabRuntime) => new TabApps(runtime) },
  { provide: TabInstances, inject: [TabRuntime], useFactory: (runtime: TabRuntime) => new TabInstances(runtime) },
  {
    provide: TabSessions,
    inject: [TabRuntime, TabDecisions],
    useFactory: (runtime: TabRuntime, decisions: TabDecisions) =>
      new TabSessions(runtime, (error, trust) => {
        const decision = sessionRefusal(error, trust, runtime.clock());
        decisions.record(decision);
        return decision.id;
      }),
  },
  {
    provide: EnrolmentService,
    inject: [TabRuntime],
    useFactory: (runtime: TabRuntime) => new EnrolmentService(runtime, runtime.limits),
  },
  {
    provide: EndpointSettings,
    inject: [TAB_ENDPOINTS, TabRuntime],
    useFactory: (prefix: string, runtime: TabRuntime) => new EndpointSettings(prefix, runtime),
  },
  { provide: HttpPlatform, inject: [HttpAdapterHost], useFactory: (host: HttpAdapterHost) => new HttpPlatform(host) },
  {
    provide: StartupCheck,
    inject: [DiscoveryService, RequirementResolver, HttpPlatform, TabRuntime],
    useFactory: (
      discovery: DiscoveryService,
      requirements: RequirementResolver,
      platform: HttpPlatform,
      runtime: TabRuntime,
    ) => new StartupCheck(discovery, requirements, platform, runtime.apps),
  },
  {
    provide: TabSweeper,
    inject: [TabRuntime, TabDecisions],
    useFactory: (runtime: TabRuntime, decisions: TabDecisions) => new TabSweeper(runtime, decisions),
  },
  TabGuard,
];

/** What applications may inject. */
export const TAB_EXPORTS = [
  TabApps,
  TabGuard,
  TabVerifier,
  TabInstances,
  TabSessions,
  TabDecisions,
  TabRuntime,
  GuardSettings,
  RequirementResolver,
];
