import type { TabOptions } from 'nestjs-tab';
import { typeOrmStores } from 'nestjs-tab/typeorm';
import type { AccessTokens } from './auth/access-tokens.js';
import type { BankConfig } from './config.js';

/** The app that may enrol. Its platform is `node`, so that it can be tried without a phone. */
export const BANK_APP = { id: 'com.example.bank', platform: 'node', minVersion: '1.0.0' } as const;

/** What the bank asks of TAB. */
export function tabOptions(config: BankConfig, tokens: AccessTokens): TabOptions {
  return {
    origins: config.origins,
    apps: [
      {
        ...BANK_APP,
        // Every build has these probes, so a token in which one of them did not run is refused.
        probes: ['debugger', 'hooking', 'tamper'],
        // For trying out. A bank on phones lists their attestation formats here instead.
        allowUnattested: true,
      },
    ],
    policies: { transfer: { session: 'required', body: true } },
    credential: (token) => tokens.verify(token),
    stores: typeOrmStores({ clock: config.clock }),
    secrets: config.tabSecrets,
    limits: { enrolmentsPerMinute: 600 },
    clock: config.clock,
  };
}
