import type { SignalRecord } from './signal-record.js';

/** What of a logger is used; Nest's has it. */
export interface SignalLogger {
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What a transmitter wrote goes into the log as JSON, so that it cannot forge a line. */
function describe({ iss, jti, event, changes, err, detail }: SignalRecord): string {
  return JSON.stringify({ iss, jti, event, changes, err, detail });
}

/** A report of the receiver into the log: refusals as warnings, failures as errors. */
export function logSignals(logger: SignalLogger): (record: SignalRecord) => void {
  return (record) => {
    const line = `signal ${record.outcome} ${describe(record)}`;
    if (record.outcome === 'failed') logger.error(line);
    else if (record.outcome === 'refused') logger.warn(line);
    else logger.log(line);
  };
}
