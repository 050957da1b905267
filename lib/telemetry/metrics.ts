import { metrics, trace, type Attributes, type Counter, type Histogram, type MeterProvider } from '@opentelemetry/api';
import { TAB_ERROR_CODES } from '../errors/codes.js';
import { DECISION_CATEGORIES, type TrustDecision } from '../trust/trust-decision.js';

/** The instrumentation scope of all metrics here. */
const SCOPE = 'nestjs-tab';
/** Bucket boundaries in seconds: a verification takes from a tenth of a millisecond to some seconds. */
const BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

interface Instruments {
  readonly provider: MeterProvider;
  readonly decisions: Counter;
  readonly verification: Histogram;
  readonly store: Histogram;
}

let current: Instruments | undefined;

/** The instruments of the provider that is registered now: without an SDK they do nothing, and one may come later. */
function instruments(): Instruments {
  const provider = metrics.getMeterProvider();
  if (current?.provider !== provider) current = createInstruments(provider);
  return current;
}

function createInstruments(provider: MeterProvider): Instruments {
  const meter = provider.getMeter(SCOPE);
  const seconds = (name: string, description: string): Histogram =>
    meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: BUCKETS } });
  return {
    provider,
    decisions: meter.createCounter('tab.decisions', { description: 'Verified requests', unit: '{decision}' }),
    verification: seconds('tab.verify.duration', 'Duration of one verification'),
    store: seconds('tab.store.duration', 'Duration of one call to a store on the way of a request'),
  };
}

/** The attributes of a kind of decision: objects that metrics share, since most requests are of one kind. */
interface DecisionAttributes {
  readonly counted: Attributes;
  readonly timed: Attributes;
  readonly event: Attributes;
}

/** More than there can be. */
const MOST_KINDS = 500;
const known = new Map<string, DecisionAttributes>();

/** Attributes come from closed lists only, so that no metric grows with its callers or tells who they are. */
function attributesOf({ outcome, code, category }: TrustDecision): DecisionAttributes {
  const kind = {
    'tab.outcome': outcome === 'accepted' ? 'accepted' : 'refused',
    ...(code !== undefined && { 'tab.code': Object.hasOwn(TAB_ERROR_CODES, code) ? code : 'other' }),
  };
  const counted = { ...kind, 'tab.category': DECISION_CATEGORIES.includes(category) ? category : 'invalid' };
  return {
    counted: Object.freeze(counted),
    timed: Object.freeze({ 'tab.outcome': kind['tab.outcome'] }),
    event: Object.freeze(kind),
  };
}

function knownAttributes(decision: TrustDecision): DecisionAttributes {
  const { outcome, code, category } = decision;
  const name = `${outcome} ${code} ${category}`;
  let attributes = known.get(name);
  if (attributes === undefined) {
    attributes = attributesOf(decision);
    // A redaction hook cannot change these members, so that there are as many names as codes times categories at most.
    if (known.size < MOST_KINDS) known.set(name, attributes);
  }
  return attributes;
}

/** Counts a decision: `tab.decisions`, `tab.verify.duration`, and an event `tab.decision` on the active span. */
export function measureDecision(decision: TrustDecision): void {
  const { counted, timed, event } = knownAttributes(decision);
  const { decisions, verification } = instruments();
  decisions.add(1, counted);
  // A record that was cut down to its fixed members has no duration.
  if (decision.duration > 0) verification.record(decision.duration / 1000, timed);
  trace.getActiveSpan()?.addEvent('tab.decision', { 'tab.decision.id': decision.id, ...event });
}

/** Attributes of `tab.store.duration`, likewise shared. */
const STORE_ATTRIBUTES = Object.freeze({
  nonces: storeAttributes('nonces'),
  bindings: storeAttributes('bindings'),
});

function storeAttributes(store: string): Readonly<Record<'ok' | 'error', Attributes>> {
  return {
    ok: Object.freeze({ 'tab.store': store, 'tab.result': 'ok' }),
    error: Object.freeze({ 'tab.store': store, 'tab.result': 'error' }),
  };
}

/** Records `tab.store.duration`. A meter that fails changes nothing about the call that it measures. */
export function measureStore(store: 'nonces' | 'bindings', result: 'ok' | 'error', seconds: number): void {
  try {
    instruments().store.record(seconds, STORE_ATTRIBUTES[store][result]);
  } catch {
    // The outcome of the call itself stands, whatever it is.
  }
}
