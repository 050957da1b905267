import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  NotFoundException,
  Post,
  Req,
  Res,
  SetMetadata,
  VERSION_NEUTRAL,
  type Type,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { SkipTrust } from '../decorators/skip-trust.js';
import { TabError } from '../errors/tab-error.js';
import { GuardSettings } from '../guards/guard-settings.js';
import { accept, refusal } from '../guards/http-answer.js';
import {
  addressOf,
  routeOf,
  setReplyHeader,
  tabRequestOf,
  type HttpReply,
  type HttpRequest,
} from '../guards/http-exchange.js';
import { BINDS_BODY } from '../guards/startup-check.js';
import { TabDecisions } from '../telemetry/tab-decisions.js';
import { DEFAULT_REQUIREMENT, type TrustRequirement } from '../trust/requirement.js';
import { newDecisionId, recordDecision } from '../verifier/decision-record.js';
import { TabVerifier } from '../verifier/tab-verifier.js';
import { tabConfiguration, type TabConfiguration } from './discovery.js';
import { EndpointSettings } from './endpoint-settings.js';
import { EnrolmentService, type Enrolled } from './enrolment.service.js';
import { ProofKeyService, type ProofKeyAnswer } from './proof-keys.service.js';

/**
 * A client may always retire itself, whatever its runtime looks like; its token is otherwise checked as any. By the instance
 * key: what cannot be undone is not for whoever found a proof key.
 */
const RETIREMENT: TrustRequirement = { ...DEFAULT_REQUIREMENT, session: 'none', proof: 'signature' };

/** The endpoints of PROTOCOL sections 4, 5 and 10; `endpointsController` gives them their paths. */
abstract class Endpoints {
  @Inject(EnrolmentService) protected readonly enrolment!: EnrolmentService;
  @Inject(ProofKeyService) protected readonly proofKeys!: ProofKeyService;
  @Inject(TabVerifier) protected readonly verifier!: TabVerifier;
  @Inject(TabDecisions) protected readonly decisions!: TabDecisions;
  @Inject(GuardSettings) protected readonly settings!: GuardSettings;
  @Inject(EndpointSettings) protected readonly endpoint!: EndpointSettings;

  @Post('challenge')
  @HttpCode(201)
  async challenge(@Req() request: HttpRequest, @Res({ passthrough: true }) reply: HttpReply): Promise<object> {
    return this.answering(request, reply, async () => {
      const challenge = this.enrolment.issueChallenge(addressOf(request));
      setReplyHeader(reply, 'Cache-Control', 'no-store');
      return { challenge, expiresIn: this.endpoint.challengeLifetime };
    });
  }

  @Post('instances')
  @HttpCode(201)
  @SetMetadata(BINDS_BODY, true)
  async enrol(
    @Req() request: HttpRequest,
    @Res({ passthrough: true }) reply: HttpReply & StatusReply,
  ): Promise<object> {
    return this.answering(request, reply, async () => {
      const enrolled = await this.enrolment.enrol(tabRequestOf(request), addressOf(request));
      setReplyHeader(reply, 'Cache-Control', 'no-store');
      setReplyHeader(reply, 'TAB-Nonce', enrolled.nextChallenge);
      reply.status(enrolled.created ? 201 : 200);
      return describe(enrolled);
    });
  }

  @Delete('instances/self')
  @HttpCode(204)
  async retire(@Req() request: HttpRequest, @Res({ passthrough: true }) reply: HttpReply): Promise<void> {
    const verification = await this.verifier.verify(tabRequestOf(request), RETIREMENT, { unappraised: true });
    const { decision, nextChallenge } = verification;
    if (!verification.accepted) throw refusal(reply, verification.error, decision.id, this.settings, nextChallenge);
    accept(request, reply, verification);
    await this.answering(request, reply, () => this.enrolment.retire(verification.context.instance.id));
  }

  @Post('proof-keys')
  @HttpCode(201)
  @SetMetadata(BINDS_BODY, true)
  async proofKey(@Req() request: HttpRequest, @Res({ passthrough: true }) reply: HttpReply): Promise<ProofKeyAnswer> {
    if (!this.proofKeys.enabled) throw new NotFoundException();
    await this.answering(request, reply, async () => this.proofKeys.count(addressOf(request)));
    const tabRequest = tabRequestOf(request);
    const verification = await this.verifier.verify(tabRequest, this.proofKeys.requirement, {
      route: routeOf(request),
    });
    const { decision, nextChallenge } = verification;
    if (!verification.accepted) throw refusal(reply, verification.error, decision.id, this.settings, nextChallenge);
    accept(request, reply, verification);
    const { id } = verification.context.instance;
    const answer = await this.answering(request, reply, () => this.proofKeys.issue(id, tabRequest.content));
    setReplyHeader(reply, 'Cache-Control', 'no-store');
    return answer;
  }

  /** Runs `work`; a refusal is recorded and answered as PROTOCOL section 7 says. */
  private async answering<T>(request: HttpRequest, reply: HttpReply, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } catch (cause) {
      const error =
        cause instanceof TabError ? cause : new TabError('store_unavailable', 'unexpected error', { cause });
      const decision = recordDecision({
        id: newDecisionId(),
        request: tabRequestOf(request),
        proven: {},
        error,
        enforced: true,
        at: this.settings.clock(),
        duration: performance.now() - started,
      });
      this.decisions.record(decision);
      throw refusal(reply, error, decision.id, this.settings, this.endpoint.nonceFor(error));
    }
  }
}

interface StatusReply {
  status(code: number): unknown;
}

function describe({ instance }: Enrolled): object {
  const { id, assurance, format, attestedAt, attestationExpiresAt } = instance;
  return { instanceId: id, assurance, attestation: { format, at: attestedAt, expiresAt: attestationExpiresAt } };
}

/** The endpoints under a path prefix. */
export function endpointsController(prefix: string): Type {
  @SkipTrust()
  @Controller({ path: prefix, version: VERSION_NEUTRAL })
  class TabEndpointsController extends Endpoints {}
  return TabEndpointsController;
}

/** The application's global prefix, without slashes around it. Nest keeps it where no provider is offered. */
function globalPrefixOf(moduleRef: ModuleRef): string {
  return moduleRef['container'].applicationConfig?.getGlobalPrefix().replace(/^\/+|\/+$/g, '') ?? '';
}

/** The discovery document (PROTOCOL section 5). */
abstract class Discovery {
  @Inject(EndpointSettings) protected readonly endpoint!: EndpointSettings;
  @Inject(GuardSettings) protected readonly settings!: GuardSettings;
  @Inject(ModuleRef) protected readonly moduleRef!: ModuleRef;

  @Get()
  configuration(@Req() request: HttpRequest, @Res({ passthrough: true }) reply: HttpReply): TabConfiguration {
    const prefix = [globalPrefixOf(this.moduleRef), this.endpoint.prefix].filter((part) => part !== '').join('/');
    try {
      return tabConfiguration(this.endpoint.verifier, tabRequestOf(request).authority, `/${prefix}`);
    } catch (error) {
      if (!(error instanceof TabError)) throw error;
      throw refusal(reply, error, newDecisionId(), this.settings);
    }
  }
}

/** `GET /.well-known/tab-configuration`: exclude it from a global prefix, so that it stays at the origin's root. */
export function discoveryController(): Type {
  @SkipTrust()
  @Controller({ path: '.well-known/tab-configuration', version: VERSION_NEUTRAL })
  class TabDiscoveryController extends Discovery {}
  return TabDiscoveryController;
}
