import type { AttestationInput, AttestationResult, Attester } from '../../../lib/attestation/attester.js';
import type { AppInstance } from '../../../lib/bindings/binding.types.js';
import { EnrolmentService, type EnrolmentLimits } from '../../../lib/enrolment/enrolment.service.js';
import type { RequestContent, TabRequest } from '../../../lib/token/request.js';
import type { RegisteredApp, VerifierSettings } from '../../../lib/verifier/settings.js';
import {
  aKey,
  anApp,
  aRequest,
  aToken,
  someSettings,
  TestClock,
  NOW,
  sha,
  type Members,
  type RequestParts,
  type TestKey,
} from '../../utils/core/index.js';
import { CountingNonces } from '../verifier/counting-nonces.js';

/** An attester that remembers what it was asked and passes, unless it is told otherwise. */
export class FakeAttester implements Attester {
  readonly format = 'fake';
  readonly reach = 'strongbox';
  readonly asked: AttestationInput[] = [];
  finished = 0;
  result: Partial<AttestationResult> = {};
  /** Run by `examine`, before any network. */
  onExamine: () => void = () => undefined;
  /** Run by the function that `examine` returns. */
  onFinish: () => unknown = () => undefined;

  examine(input: AttestationInput): () => Promise<AttestationResult> {
    this.asked.push(input);
    this.onExamine();
    return async () => {
      this.finished += 1;
      await this.onFinish();
      return {
        format: 'fake',
        assurance: 'tee',
        keyBound: true,
        app: { id: input.app.id },
        claims: { patch: 5 },
        expiresAt: NOW + 1e9,
        ...this.result,
      };
    };
  }
}

/** The parts of an enrolment; each member may be changed on its own. */
export interface AttemptParts {
  readonly key?: TestKey;
  readonly header?: Members;
  readonly claims?: Members;
  readonly signature?: Uint8Array;
  readonly body?: Members;
  readonly app?: Members;
  readonly attestation?: Members;
  /** Takes the place of the body that is sent; `bh` stays that of the body signed. */
  readonly sent?: string | RequestContent;
  /** Takes the place of the body, and is signed. */
  readonly raw?: string;
  readonly request?: RequestParts;
}

/** A server that enrols, and enrolments that go through unless a part says otherwise. */
export class Enrolments {
  readonly clock = new TestClock();
  readonly nonces = new CountingNonces();
  readonly attester = new FakeAttester();
  readonly settings: VerifierSettings;
  readonly service: EnrolmentService;

  constructor(
    app: Partial<RegisteredApp> = {},
    limits: EnrolmentLimits = { enrolmentsPerMinute: 1000, challengesPerMinute: 1000 },
  ) {
    const registered = anApp({ attesters: new Map([['fake', this.attester]]), ...app });
    this.settings = someSettings({ apps: new Map([[registered.id, registered]]), nonces: this.nonces }, this.clock);
    this.service = new EnrolmentService(this.settings, limits);
  }

  challenge(): string {
    return this.settings.challenges.issue('enrol', this.clock.seconds);
  }

  request(parts: AttemptParts = {}): TabRequest {
    const { key = aKey(), header = {}, claims = {}, signature, request = {} } = parts;
    const body = {
      app: { id: 'com.example.app', ver: '1.4.0', platform: 'android', ...parts.app },
      attestation: { format: 'fake', statement: { proof: 1 }, ...parts.attestation },
      ...parts.body,
    };
    const text = parts.raw ?? JSON.stringify(body);
    const token = aToken({
      key,
      header: { typ: 'tab-enroll+jwt', kid: undefined, jwk: key.jwk, ...header },
      claims: {
        iat: this.clock.seconds,
        nonce: this.challenge(),
        htm: 'POST',
        htu: 'https://api.example.com/tab/instances',
        bh: sha(text),
        ct: 'application/json',
        rt: { at: this.clock.seconds, found: [], clear: ['root', 'hooking'], sdk: 'tests/1.0.0' },
        ...claims,
      },
      ...(signature && { signature }),
    });
    const headers = ['Content-Type', 'application/json', 'TAB-Token', token];
    return aRequest({ method: 'POST', target: '/tab/instances', content: parts.sent ?? text, headers, ...request });
  }

  enrol(parts: AttemptParts = {}, address = '203.0.113.5') {
    return this.service.enrol(this.request(parts), address);
  }

  async stored(key = aKey()): Promise<AppInstance | undefined> {
    return (await this.settings.bindings.load({ instanceId: key.id })).instance;
  }
}
