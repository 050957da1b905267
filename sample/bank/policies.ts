import type { TrustRequirementOptions } from 'nestjs-tab';

/** The policies of the bank, for `@RequireTrust('…')`. */
export type BankPolicies = Readonly<Record<'browse' | 'default' | 'transfer', TrustRequirementOptions>>;

/** A script of a browser extension in the page: harmless with most people, and not where money moves. */
const EXTENSION = 'x-web-extension-injection';

/**
 * From the mildest to the strictest.
 *
 * @param canAttest whether any app can attest: to ask for what nobody can give is refused at start-up
 */
export function bankPolicies(canAttest: boolean): BankPolicies {
  return {
    /** Reading: what is odd but harms nobody who only looks passes, as a flag that the handler makes something of. */
    browse: { runtime: { flag: ['vpn', 'developer-mode', 'x-bank-sim-change', EXTENSION] } },

    /** Everything that says nothing else: the defaults of TAB, in which whatever is found is denied; but people may sign in. */
    default: {
      session: 'required',
      challenge: 'recent',
      runtime: { deny: 'all', flag: [EXTENSION], require: 'declared', maxAge: 300 },
    },

    /**
     * Moving money: nothing passes as a flag, no token can be made ahead, and every probe that the app was registered with has
     * run; those of a phone and of a browser are not the same. The instance key itself signs: a proof key, which lives in the app's
     * memory, moves no money. A SIM that was changed may be in the customer's hands or in a
     * thief's: an app that attests anew passes, one that cannot does not.
     */
    transfer: {
      session: 'required',
      body: true,
      challenge: 'single-use',
      proof: 'signature',
      runtime: {
        require: 'declared',
        flag: [],
        ...(canAttest && { stepUp: ['x-bank-sim-change'], stepUpMaxAge: 120 }),
      },
    },
  };
}
