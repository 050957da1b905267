import {
  context,
  createNoopMeter,
  metrics,
  ROOT_CONTEXT,
  trace,
  type Attributes,
  type Context,
  type ContextManager,
  type MeterProvider,
  type MetricOptions,
  type Span,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { AsyncLocalStorage } from 'node:async_hooks';

/** One measurement. */
export interface Point {
  readonly name: string;
  readonly value: number;
  readonly attributes: Attributes;
}

/** One event of a span. */
export interface SpanEvent {
  readonly name: string;
  readonly attributes: Attributes;
}

/** An SDK in memory, as far as the metrics and span events here need one. */
export class FakeOtel {
  readonly points: Point[] = [];
  readonly events: SpanEvent[] = [];
  readonly instruments = new Map<string, MetricOptions & { scope: string }>();
  /** Set: every instrument throws. */
  broken = false;

  /** Registers the SDK with the API; `unregister` ends that. */
  register(): this {
    metrics.setGlobalMeterProvider(this.meterProvider());
    trace.setGlobalTracerProvider(this.tracerProvider());
    context.setGlobalContextManager(new FakeContextManager());
    return this;
  }

  static unregister(): void {
    metrics.disable();
    trace.disable();
    context.disable();
  }

  /** The points of one metric. */
  of(name: string): Point[] {
    return this.points.filter((point) => point.name === name);
  }

  private meterProvider(): MeterProvider {
    const instrument =
      (scope: string) =>
      (name: string, options: MetricOptions = {}) => {
        this.instruments.set(name, { ...options, scope });
        const take = (value: number, attributes: Attributes = {}): void => {
          if (this.broken) throw new Error('exporter is gone');
          this.points.push({ name, value, attributes });
        };
        return { add: take, record: take };
      };
    return {
      getMeter: (scope) =>
        Object.assign(Object.create(createNoopMeter()), {
          createCounter: instrument(scope),
          createHistogram: instrument(scope),
        }),
    };
  }

  private tracerProvider(): TracerProvider {
    const span = {
      addEvent: (name: string, attributes: Attributes) => void this.events.push({ name, attributes }),
      end: () => undefined,
    } as unknown as Span;
    const startActiveSpan = (...args: unknown[]): unknown =>
      context.with(trace.setSpan(context.active(), span), () => (args.at(-1) as (span: Span) => unknown)(span));
    const tracer: Tracer = { startSpan: () => span, startActiveSpan };
    return { getTracer: () => tracer };
  }
}

class FakeContextManager implements ContextManager {
  private readonly storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    action: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.storage.run(active, () => action.call(thisArg, ...args));
  }

  bind<T>(_active: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.storage.disable();
    return this;
  }
}
