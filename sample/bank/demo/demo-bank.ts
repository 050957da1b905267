import { randomBytes } from 'node:crypto';
import { TabSessions } from 'nestjs-tab';
import { createBankApp } from '../bank-app.js';
import { readConfig, type BankConfig } from '../config.js';
import { findFreePort } from '../free-port.js';
import { createPhoneMakers, type PhoneMakers } from './phones.js';
import { createService, IDENTITY_PROVIDER, type TrustedService } from './services.js';

/** The time of the demo: real, and moved ahead where waiting would take too long. */
export class DemoClock {
  #ahead = 0;
  /** Milliseconds since the epoch. */
  readonly now = (): number => Date.now() + this.#ahead;

  advance(seconds: number): void {
    this.#ahead += 1000 * seconds;
  }
}

/** A bank of the demo's own, and those whom it trusts. */
export interface DemoBank {
  readonly api: string;
  readonly clock: DemoClock;
  readonly operatorKey: string;
  readonly attester: TrustedService;
  readonly identityProvider: TrustedService;
  readonly phoneMakers: PhoneMakers;
  /** What an operator does. */
  revokeSession(id: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts a bank in memory, on a free port. */
export async function openBank(change: Partial<BankConfig> = {}): Promise<DemoBank> {
  const port = await findFreePort();
  const clock = new DemoClock();
  const [attester, identityProvider] = [await createService(clock.now), await createService(clock.now)];
  const phoneMakers = createPhoneMakers(clock.now);
  const operatorKey = randomBytes(32).toString('base64url');
  const config: BankConfig = {
    ...readConfig({}, port),
    operatorKey,
    attesterJwks: attester.jwks,
    testRoots: { android: phoneMakers.google.root, ios: phoneMakers.apple.root },
    transmitter: { iss: IDENTITY_PROVIDER, jwks: identityProvider.jwks },
    clock: clock.now,
    ...change,
  };
  const app = await createBankApp(config, { logger: ['error', 'fatal'] });
  await app.listen(port, '127.0.0.1');
  return {
    api: `http://127.0.0.1:${port}`,
    clock,
    operatorKey,
    attester,
    identityProvider,
    phoneMakers,
    revokeSession: (id) => app.get(TabSessions).revoke(id, 'reported stolen'),
    close: () => app.close(),
  };
}
