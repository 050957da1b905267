import { DefenderError } from 'nestjs-tab/defender';

/** What an answer says in a line: `201`, `401 replayed_token`, `200 TAB-Monitor: insufficient_trust`. */
export function told({ status, headers }: Response): string {
  const watched = headers.get('tab-monitor');
  return [String(status), headers.get('tab-error') ?? '', watched === null ? '' : `TAB-Monitor: ${watched}`]
    .filter((part) => part !== '')
    .join(' ');
}

/** What an error says in a line; a refusal reads like the answer that it was. */
export function toldError(error: unknown): string {
  if (!(error instanceof DefenderError)) return error instanceof Error ? error.message : String(error);
  return error.tabError === undefined ? error.code : `${error.status} ${error.tabError}`;
}

/** The outcome of `work` in a line, refusals included. */
export async function outcomeOf(work: Promise<Response>): Promise<string> {
  return work.then(told, toldError);
}
