import type { RuntimeEvidence } from 'nestjs-tab/defender';

/** Taken before anybody can put something else in its place. */
export const untouchedFetch: typeof fetch = window.fetch.bind(window);

/** A request as it went out, headers and token included. */
export interface SentRequest {
  readonly url: string;
  readonly init: RequestInit;
}

/** What somebody sees who reads everything that the app sends and gets: the strongest position short of having its key. */
export class Wire {
  /** The last request with a token that the bank did not refuse. */
  accepted?: SentRequest;
  /** The newest challenge that the bank has sent. */
  challenge?: string;
  /** What the probes reported in the last token. */
  evidence?: Pick<RuntimeEvidence, 'found' | 'clear'>;
  /** The code of the last refusal; undefined when the last answer was none. */
  refusal?: string;
  readonly #onAnswer: () => void;

  /** @param onAnswer called after each answer */
  constructor(onAnswer: () => void) {
    this.#onAnswer = onAnswer;
  }

  /** `fetch` with somebody who listens. */
  readonly fetch: typeof fetch = async (input, init = {}) => {
    const response = await untouchedFetch(input, init);
    const url = input instanceof Request ? input.url : String(input);
    this.refusal = response.headers.get('tab-error') ?? undefined;
    this.challenge = response.headers.get('tab-nonce') ?? this.challenge;
    const token = new Headers(init.headers).get('tab-token');
    if (token !== null) this.evidence = evidenceIn(token) ?? this.evidence;
    if (token !== null && response.ok) this.accepted = { url, init };
    this.#onAnswer();
    return response;
  };
}

/** Tokens are signed, not secret: whoever sees one can read it. */
function evidenceIn(token: string): RuntimeEvidence | undefined {
  const payload = token.split('.')[1] ?? '';
  const text = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
  return (JSON.parse(text) as { rt?: RuntimeEvidence }).rt;
}
