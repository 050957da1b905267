// What a run shows, and whether it shows enough.

/** Part of the tokens that must have been accepted, or the run shows little. */
const LEAST_ACCEPTED = 0.8;
/** Part of the presentations that may have come too late to be made. */
const MOST_LATE = 0.05;
/** Seconds, by the clock of the run, after which a partition must have been dropped. */
const ROTATION = 150;

/** The figures of a run, and what is wrong with it: nothing in `violations` and `doubts` is what is asked. */
export function verdictOf({ engine, server, speed, options, ledger, seats, seconds, dropped, left }) {
  const audit = ledger.audit();
  const { totals, presentations } = ledger;
  const sum = (name) => seats.reduce((total, seat) => total + seat[name], 0);
  const answered = totals.accepted + totals.replays;
  const figures = {
    tokens: options.tokens,
    'of them over HTTP': options.http,
    presentations,
    accepted: totals.accepted,
    'replays refused': totals.replays,
    'unknown: killed': totals.died,
    'unknown: not available': totals.unavailable,
    'too late': totals.late,
    kills: sum('kills'),
    restarts: sum('restarts'),
    'partitions dropped': dropped ?? 'none there',
    'claims left': left,
    seconds: Math.round(seconds),
    'answers/s': Math.round(answered / seconds),
    'double acceptances': audit.doubles,
    'false replays': audit.falseReplays,
  };
  const isLong = seconds * speed > ROTATION;
  const violations = [
    audit.doubles > 0 && `${audit.doubles} tokens were accepted more than once`,
    audit.falseReplays > 0 && `${audit.falseReplays} tokens were refused as replays, and nobody was let in`,
  ];
  const others = [...ledger.others].map(([code, count]) => `${count} × ${code}`).join(', ');
  const doubts = [
    audit.unaccounted > 0 && `${audit.unaccounted} tokens are not accounted for`,
    others !== '' && `refused for other reasons: ${others}`,
    audit.acceptedTokens < LEAST_ACCEPTED * options.tokens && `only ${audit.acceptedTokens} tokens were accepted`,
    totals.late > MOST_LATE * presentations && `${totals.late} presentations came too late to be made`,
    isLong && sum('kills') === 0 && 'no process was killed',
    isLong && dropped === 0 && 'no partition was dropped',
  ];
  const { examples } = audit;
  return {
    engine,
    server,
    speed,
    figures,
    examples,
    violations: violations.filter(Boolean),
    doubts: doubts.filter(Boolean),
  };
}
