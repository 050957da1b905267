import { Logger, type Provider } from '@nestjs/common';
import { DiscoveryService, HttpAdapterHost } from '@nestjs/core';
import { SessionWatch } from './bindings/session-watch.js';
import { TabApps } from './bindings/tab-apps.js';
import { TabInstances } from './bindings/tab-instances.js';
import { TabSessions } from './bindings/tab-sessions.js';
import { EndpointSettings } from './enrolment/endpoint-settings.js';
import { EnrolmentService } from './enrolment/enrolment.service.js';
import { ProofKeyService } from './enrolment/proof-keys.service.js';
import { GuardSettings } from './guards/guard-settings.js';
import { HttpPlatform } from './guards/http-platform.js';
import { RequirementResolver } from './guards/requirement-resolver.js';
import { StartupCheck } from './guards/startup-check.js';
import { TabGuard } from './guards/tab.guard.js';
import { TabHealth } from './health/tab-health.js';
import { TAB_ENDPOINTS, TAB_OPTIONS } from './tab.constants.js';
import { checkMembers } from './tab-options.check.js';
import type { TabOptions } from './tab-options.js';
import { SignalReceiver } from './signals/receiver.js';
import { logSignals } from './signals/signal-log.js';
import { SignalsPlatform } from './signals/signals-platform.js';
import { SignalTransmitter } from './signals/transmitter.js';
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
  {
    provide: SignalsPlatform,
    inject: [HttpAdapterHost],
    useFactory: (host: HttpAdapterHost) => new SignalsPlatform(host),
  },
  {
    provide: SignalReceiver,
    inject: [TAB_OPTIONS, TabRuntime, TabInstances, TabSessions],
    useFactory: ({ signals }: TabOptions, settings: TabRuntime, instances: TabInstances, sessions: TabSessions) => {
      if (signals?.receive === undefined) return null;
      return new SignalReceiver(
        signals.receive,
        { settings, instances, sessions },
        logSignals(new Logger('TabSignals')),
      );
    },
  },
  {
    provide: SignalTransmitter,
    inject: [TAB_OPTIONS, TabRuntime],
    useFactory: ({ signals }: TabOptions, { clock }: TabRuntime) => {
      if (signals?.transmit === undefined) return null;
      return new SignalTransmitter({ clock, ...signals.transmit }, (message) => new Logger('TabSignals').warn(message));
    },
  },
  { provide: TabApps, inject: [TabRuntime], useFactory: (runtime: TabRuntime) => new TabApps(runtime) },
  {
    provide: SessionWatch,
    inject: [TabRuntime],
    useFactory: (runtime: TabRuntime) =>
      new SessionWatch(runtime, { warn: (message) => new Logger('TabSessions').warn(message) }),
  },
  {
    provide: TabInstances,
    inject: [TabRuntime, SessionWatch],
    useFactory: (runtime: TabRuntime, watch: SessionWatch) => new TabInstances(runtime, watch),
  },
  {
    provide: TabSessions,
    inject: [TabRuntime, SessionWatch, TabDecisions],
    useFactory: (runtime: TabRuntime, watch: SessionWatch, decisions: TabDecisions) =>
      new TabSessions(runtime, watch, (error, trust) => {
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
    provide: ProofKeyService,
    inject: [TabRuntime, RequirementResolver],
    useFactory: (runtime: TabRuntime, { base }: RequirementResolver) => new ProofKeyService(runtime, base),
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
  {
    provide: TabHealth,
    inject: [TabRuntime],
    useFactory: (runtime: TabRuntime) => new TabHealth(runtime, (message) => new Logger('TabHealth').warn(message)),
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
  TabHealth,
  TabRuntime,
  GuardSettings,
  RequirementResolver,
];
