import { byId, element, spoken } from '../dom.js';
import { FeedChart, type ChartedDecision } from './feed-chart.js';

/** An event of `GET /lab/decisions`. */
interface FeedEntry extends ChartedDecision {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly route: string;
  readonly code?: string;
  readonly threats: readonly string[];
}

/** Decisions that stay in the list. */
const KEPT = 60;
const TIME = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

/** What the bank decides, live. */
export class FeedView {
  readonly #chart = new FeedChart();
  readonly #list = byId('feed', HTMLOListElement);
  readonly #empty = byId('feed-empty', HTMLParagraphElement);
  readonly #state = byId('feed-state', HTMLParagraphElement);
  /** Newest first. */
  #entries: readonly FeedEntry[] = [];

  /** Listens until the page goes. After an interruption the browser comes back by itself, and is told the latest again. */
  listen(url: string): void {
    const source = new EventSource(url);
    source.addEventListener('open', () => this.#say('Live', 'live'));
    source.addEventListener('error', () =>
      this.#say(source.readyState === EventSource.CLOSED ? 'Not available' : 'Interrupted', 'off'),
    );
    source.addEventListener('message', ({ data }) => this.#add(JSON.parse(String(data)) as FeedEntry));
    this.#chart.show([]);
  }

  #add(entry: FeedEntry): void {
    if (this.#entries.some(({ id }) => id === entry.id)) return;
    this.#entries = [entry, ...this.#entries].slice(0, KEPT);
    this.#list.prepend(row(entry));
    while (this.#list.children.length > KEPT) this.#list.lastElementChild?.remove();
    this.#empty.hidden = true;
    this.#chart.show(this.#entries);
  }

  #say(text: string, state: string): void {
    this.#state.textContent = text;
    this.#state.dataset['state'] = state;
  }
}

function row({ time, route, outcome, code, threats, durationMs }: FeedEntry): HTMLLIElement {
  const detail = [code, ...threats.map((threat) => `found ${threat}`)].filter((part) => part !== undefined).join(', ');
  return element(
    'li',
    { class: outcome },
    element('span', { class: 'mark', 'aria-hidden': 'true' }, outcome === 'accepted' ? '✓' : '✕'),
    element('span', { class: 'route' }, route),
    element('span', { class: 'detail' }, spoken(detail === '' ? outcome : `${outcome}: `), detail),
    element('time', { datetime: new Date(time).toISOString() }, TIME.format(time)),
    element('span', { class: 'took' }, `${durationMs.toFixed(1)} ms`),
  );
}
