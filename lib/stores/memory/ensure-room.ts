import { TabError } from '../../errors/tab-error.js';

/** Ensures that one more entry fits: what is full refuses, since evicting would forget what requests are judged by. */
export function ensureRoom(what: string, size: number, max: number): void {
  if (size >= max)
    throw new TabError('store_unavailable', `the memory store holds ${max} ${what}, its limit: use a database`);
}
