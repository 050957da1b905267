import { byId, shape } from '../dom.js';

/** Bars in the chart. */
const BARS = 40;
const WIDTH = 400;
const HEIGHT = 96;
const MIDDLE = HEIGHT / 2;
/** Milliseconds that fill a bar's height. */
const FULL = 25;
const LOWEST = 8;

/** What the chart shows of a decision. */
export interface ChartedDecision {
  readonly outcome: 'accepted' | 'refused';
  readonly durationMs: number;
}

/** Accepted ones stand up, refused ones hang down, so that nobody needs the colours. Newest at the right. */
export class FeedChart {
  readonly #svg = byId('chart', SVGSVGElement);
  readonly #text = byId('chart-text', HTMLSpanElement);
  readonly #counts = {
    accepted: byId('accepted-count', HTMLSpanElement),
    refused: byId('refused-count', HTMLSpanElement),
  };

  /** @param decisions newest first */
  show(decisions: readonly ChartedDecision[]): void {
    const count = (outcome: ChartedDecision['outcome']) => decisions.filter((each) => each.outcome === outcome).length;
    const accepted = count('accepted');
    const refused = count('refused');
    this.#counts.accepted.textContent = String(accepted);
    this.#counts.refused.textContent = String(refused);
    this.#text.textContent = `Of the last ${decisions.length} decisions, ${accepted} accepted and ${refused} refused`;
    const axis = shape('line', { class: 'axis', x1: 0, x2: WIDTH, y1: MIDDLE, y2: MIDDLE });
    this.#svg.replaceChildren(axis, ...decisions.slice(0, BARS).map(bar));
  }
}

function bar({ outcome, durationMs }: ChartedDecision, index: number): SVGElement {
  const step = WIDTH / BARS;
  const height = LOWEST + (MIDDLE - LOWEST - 4) * Math.min(1, Math.sqrt(durationMs / FULL));
  return shape('rect', {
    class: outcome,
    x: WIDTH - (index + 1) * step + 1.5,
    y: outcome === 'accepted' ? MIDDLE - 1 - height : MIDDLE + 1,
    width: step - 3,
    height,
    rx: 2,
  });
}
