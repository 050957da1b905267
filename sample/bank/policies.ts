import type { TrustRequirementOptions } from 'nestjs-tab';

/** What a device can have about it that keeps nobody from reading, and is denied where money moves. */
const TOLERATED_WHEN_READING = ['vpn', 'developer-mode', 'x-bank-sim-change'] as const;

/** The policies of the bank, from the mildest to the strictest. */
export const POLICIES = {
  /** Reading: some findings pass as `trust.flags`, which the handler makes something of. */
  browse: { runtime: { maxAge: 300, flag: TOLERATED_WHEN_READING } },

  /** Everything that says nothing else: whatever is found is denied. */
  default: { session: 'required', challenge: 'recent', runtime: { deny: 'all', maxAge: 300 } },

  /**
   * Moving money: no token can be made ahead, and the probes have run whatever the app declares. A SIM that was changed may
   * be the customer's or a thief's: who attests anew passes. Unattested apps cannot.
   */
  transfer: {
    session: 'required',
    body: true,
    challenge: 'single-use',
    runtime: {
      require: ['debugger', 'hooking', 'tamper'],
      stepUp: ['x-bank-sim-change'],
      stepUpMaxAge: 120,
    },
  },
} as const satisfies Record<string, TrustRequirementOptions>;
