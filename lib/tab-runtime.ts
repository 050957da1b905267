import { Logger } from '@nestjs/common';
import type { BindingStore } from './bindings/binding-store.js';
import { TabConfigError } from './errors/tab-error.js';
import type { EnrolmentLimits } from './enrolment/enrolment.service.js';
import type { NonceStore } from './nonces/nonce-store.js';
import type { GuardSettings } from './guards/guard-settings.js';
import { memoryStores } from './stores/memory/index.js';
import type { ProviderLookup, TabStores, TabStoresFactory } from './stores/stores.types.js';
import {
  checkMembers,
  checkSingleMachineDefault,
  readAlgorithms,
  readApps,
  readClaimQuota,
  readCredential,
  readHealthTimeout,
  readLimits,
  readNumber,
  readOrigins,
  readClock,
  readSecrets,
  readWindow,
} from './tab-options.check.js';
import type { TabOptions } from './tab-options.js';
import { readProofKeyLimits } from './tab-options.proof-keys.js';
import { instrumentStores } from './telemetry/instrument-stores.js';
import { Challenges } from './token/challenge.js';
import { ProofKeys } from './token/proof-key.js';
import type { Secret } from './token/secrets.js';
import { SignatureVerifier } from './token/signature.js';
import type { VerifierSettings } from './verifier/settings.js';

const OPTION_MEMBERS = [
  'origins',
  'apps',
  'credential',
  'stores',
  'secrets',
  'policy',
  'policies',
  'mode',
  'exposeDetail',
  'decisions',
  'signals',
  'algorithms',
  'signature',
  'proofKeys',
  'token',
  'challengeLifetime',
  'limits',
  'health',
  'storeTimeout',
  'keyCacheSize',
  'sweepInterval',
  'clock',
] satisfies (keyof TabOptions)[];

interface Started {
  readonly stores: TabStores;
  readonly challenges: Challenges;
  /** The life of the nonce store that the challenges are of. */
  readonly epoch: string | undefined;
}

/**
 * The options, checked and resolved. Everything but the stores is there from the start; stores may need providers of
 * the application, which exist only once the module initialises.
 */
export class TabRuntime implements VerifierSettings, GuardSettings {
  readonly origins: VerifierSettings['origins'];
  readonly apps: VerifierSettings['apps'];
  readonly algorithms: VerifierSettings['algorithms'];
  readonly window: VerifierSettings['window'];
  readonly signatures: SignatureVerifier;
  readonly credential: VerifierSettings['credential'];
  readonly storeTimeout: number;
  readonly keyCacheSize: number;
  readonly clock: () => number;
  readonly exposeDetail: boolean;
  readonly limits: EnrolmentLimits;
  readonly quota: VerifierSettings['quota'];
  readonly healthTimeout: number;
  readonly challengeLifetime: number;
  readonly sweepInterval: number;
  readonly proofKeys: ProofKeys | undefined;
  readonly proofKeyRequestsPerMinute: number;
  readonly #logger = new Logger('TabModule');
  readonly #secrets: [Secret, ...Secret[]];
  readonly #stores: TabStores | TabStoresFactory;
  #started: Started | undefined;

  /** @throws TabConfigError that says what to write instead */
  constructor(options: TabOptions) {
    checkMembers(options, OPTION_MEMBERS, 'TabModule options');
    this.origins = readOrigins(options.origins);
    this.apps = readApps(options.apps);
    this.algorithms = readAlgorithms(options.algorithms);
    this.window = readWindow(options.token);
    this.credential = readCredential(options.credential);
    this.limits = readLimits(options.limits);
    this.quota = readClaimQuota(options.limits);
    this.healthTimeout = readHealthTimeout(options.health);
    this.challengeLifetime = readNumber('challengeLifetime', options.challengeLifetime, 300, 30, 3600);
    this.storeTimeout = readNumber('storeTimeout', options.storeTimeout, 5000, 1, 60_000);
    this.keyCacheSize = readNumber('keyCacheSize', options.keyCacheSize, 10_000, 1, 10_000_000);
    this.sweepInterval = readNumber('sweepInterval', options.sweepInterval, 30_000, 0, 3_600_000);
    this.signatures = new SignatureVerifier(readChoice('signature', options.signature, ['auto', 'sync', 'pool']));
    readChoice('mode', options.mode, ['enforce', 'monitor']);
    this.exposeDetail = options.exposeDetail === true;
    this.clock = readClock(options.clock);
    this.#secrets = readSecrets(options.secrets, (message) => this.#logger.warn(message));
    const { lifetime, requestsPerMinute } = readProofKeyLimits(options.proofKeys);
    this.proofKeys = lifetime === undefined ? undefined : this.#proofKeysOf(lifetime);
    this.proofKeyRequestsPerMinute = requestsPerMinute;
    this.#stores = options.stores ?? this.#defaultStores();
  }

  get nonces(): NonceStore {
    return this.#running.stores.nonces;
  }

  get bindings(): BindingStore {
    return this.#running.stores.bindings;
  }

  /** Challenges of the present life of the nonce store: those of a former one may have been spent in it. */
  get challenges(): Challenges {
    const { stores, epoch } = this.#running;
    if (stores.nonces.volatility?.epoch !== epoch) this.#started = this.#startedWith(stores);
    return this.#running.challenges;
  }

  get verifiesCredentials(): boolean {
    return this.credential.verify !== undefined;
  }

  /** Takes the stores into use. Called once, when the module initialises. */
  async start(lookup: ProviderLookup): Promise<void> {
    const stores = isFactory(this.#stores) ? await this.#stores.create(lookup) : this.#stores;
    if (stores?.nonces === undefined || stores.bindings === undefined) {
      throw new TabConfigError('stores: write memoryStores(), typeOrmStores(), or { nonces, bindings }');
    }
    await stores.nonces.open?.();
    this.#started = this.#startedWith(instrumentStores(stores));
  }

  #proofKeysOf(lifetime: number): ProofKeys {
    const origin = this.origins.first.href;
    return new ProofKeys({ secrets: this.#secrets, origin, lifetime, cacheSize: this.keyCacheSize });
  }

  #startedWith(stores: TabStores): Started {
    const epoch = stores.nonces.volatility?.epoch;
    return { stores, challenges: new Challenges(this.#secrets, this.challengeLifetime, epoch), epoch };
  }

  get #running(): Started {
    if (this.#started === undefined) throw new Error('TabModule has not initialised yet');
    return this.#started;
  }

  #defaultStores(): TabStores {
    checkSingleMachineDefault(
      false,
      'stores: memory stores suit one process only, and forget when it ends; use typeOrmStores(), or say stores: memoryStores()',
      (message) => this.#logger.warn(message),
    );
    return memoryStores({ clock: this.clock });
  }
}

function isFactory(stores: TabStores | TabStoresFactory): stores is TabStoresFactory {
  return 'create' in stores && typeof stores.create === 'function';
}

/** One of the choices; the first is the default. */
function readChoice<T extends string>(name: string, value: T | undefined, choices: readonly [T, ...T[]]): T {
  if (value !== undefined && !choices.includes(value)) {
    throw new TabConfigError(`${name}: write one of ${choices.map((each) => `'${each}'`).join(', ')}`);
  }
  return value ?? choices[0];
}
