/**
 * Whether a value has to be waited for. Never asked by the class: an application may replace the global `Promise` (zone.js does),
 * which async functions do not make theirs of, and a refusal that nobody waited for would be taken for an answer.
 */
export function isThenable<T>(value: PromiseLike<T> | T): value is PromiseLike<T> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
