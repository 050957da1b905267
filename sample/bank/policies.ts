import type { TrustRequirementOptions } from 'nestjs-tab';

/** The policies of the bank, for `@RequireTrust('…')`. */
export type BankPolicies = Readonly<Record<'browse' | 'default' | 'transfer', TrustRequirementOptions>>;

/**
 * From the mildest to the strictest.
 *
 * @param canAttest whether any app can attest: to ask for what nobody can give is refused at start-up
 */
export function bankPolicies(canAttest: boolean): BankPolicies {
  return {
    /** Reading: what is odd but harms nobody who only looks passes, as a flag that the handler makes something of. */
    browse: { runtime: { flag: ['vpn', 'developer-mode', 'x-bank-sim-change'] } },

    /** Everything that says nothing else: the defaults of TAB, in which whatever is found is denied. */
    default: { session: 'required', challenge: 'recent', runtime: { deny: 'all', require: 'declared', maxAge: 300 } },

    /**
     * Moving money: no token can be made ahead, and the probes have run whatever the app declares. A SIM that was changed
     * may be in the customer's hands or in a thief's: an app that attests anew passes, one that cannot does not.
     */
    transfer: {
      session: 'required',
      body: true,
      challenge: 'single-use',
      runtime: {
        require: ['debugger', 'hooking', 'tamper'],
        ...(canAttest && { stepUp: ['x-bank-sim-change'], stepUpMaxAge: 120 }),
      },
    },
  };
}
