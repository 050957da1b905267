// The account of a run: what was answered to each token. Bounded: a few octets a token, whatever happens.

/** What became of a presentation. */
export const OUTCOME = { REPLAY: 0, ACCEPTED: 1, UNAVAILABLE: 2, LATE: 3, DIED: 4, OTHER: 5 };
const NAMES = ['replays', 'accepted', 'unavailable', 'late', 'died', 'other'];

/** Double acceptances and false replays that are shown one by one. */
const SHOWN = 5;

export class Ledger {
  /** Of all presentations, by the name of the outcome. */
  totals = Object.fromEntries(NAMES.map((name) => [name, 0]));
  /** Refusals for other reasons, by code. */
  others = new Map();
  presentations = 0;
  /** Presentations that have an outcome. */
  answered = 0;

  constructor(tokens) {
    this.tokens = tokens;
    this.planned = new Uint8Array(tokens);
    this.accepted = new Uint8Array(tokens);
    this.replays = new Uint8Array(tokens);
    /** Those whose process died, or whose store could not say. */
    this.unknown = new Uint8Array(tokens);
    /** Those that were not made, or refused before the claim. */
    this.unclaimed = new Uint8Array(tokens);
  }

  plan(token, presentations) {
    this.planned[token] = presentations;
    this.presentations += presentations;
  }

  enter(token, outcome, code) {
    this.answered += 1;
    this.totals[NAMES[outcome]] += 1;
    if (code !== undefined) this.others.set(code, (this.others.get(code) ?? 0) + 1);
    this.#columnOf(outcome)[token] += 1;
  }

  #columnOf(outcome) {
    if (outcome === OUTCOME.ACCEPTED) return this.accepted;
    if (outcome === OUTCOME.REPLAY) return this.replays;
    return outcome === OUTCOME.UNAVAILABLE || outcome === OUTCOME.DIED ? this.unknown : this.unclaimed;
  }

  /** Reads the account: every token counts. */
  audit() {
    const found = { doubles: 0, falseReplays: 0, unaccounted: 0, acceptedTokens: 0, examples: [] };
    for (let token = 0; token < this.tokens; token += 1) {
      const [accepted, replays, unknown] = [this.accepted[token], this.replays[token], this.unknown[token]];
      const answered = accepted + replays + unknown + this.unclaimed[token];
      if (accepted > 0) found.acceptedTokens += 1;
      const isDouble = accepted > 1;
      // Nobody was let in, and nobody may have been: then whoever came first was refused as a replay.
      const isFalse = replays > 0 && accepted === 0 && unknown === 0;
      if (isDouble) found.doubles += 1;
      if (isFalse) found.falseReplays += 1;
      if (answered !== this.planned[token] || answered === 0) found.unaccounted += 1;
      if ((isDouble || isFalse) && found.examples.length < SHOWN)
        found.examples.push({ token, accepted, replays, unknown, unclaimed: this.unclaimed[token] });
    }
    return found;
  }
}
