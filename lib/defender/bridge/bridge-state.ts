import type { DefenderState } from '../key-store.js';

/** Kept while a key is made, until something is saved of it: no key has been enrolled since. */
export const MAKING: DefenderState = { instanceId: '', apis: {} };

/** Whether the key `id` is enrolled anywhere; state of another key says nothing of this one. */
export function isEnrolled(state: DefenderState | undefined, id: string): boolean {
  return state?.instanceId === id && Object.values(state.apis).some((api) => api.enrolledAt !== undefined);
}

/** The state in the text that the shell kept; undefined when there is none. @throws TypeError when it is no such text */
export function readState(text: string | null): DefenderState | undefined {
  if (text === null) return undefined;
  if (typeof text !== 'string') throw new TypeError('No text');
  const state: unknown = JSON.parse(text);
  if (!isObject(state) || typeof state.instanceId !== 'string' || !isObject(state.apis) || !areApis(state.apis)) {
    throw new TypeError('No state');
  }
  return state as unknown as DefenderState;
}

function areApis(apis: Record<string, unknown>): boolean {
  return Object.values(apis).every((api) => isObject(api) && hasTimes(api) && isSession(api.session));
}

function hasTimes({ enrolledAt, reenrolledAt, skew }: Record<string, unknown>): boolean {
  return [enrolledAt, reenrolledAt, skew].every((time) => time === undefined || Number.isSafeInteger(time));
}

function isSession(session: unknown): boolean {
  if (session === undefined) return true;
  return isObject(session) && typeof session.id === 'string' && Number.isSafeInteger(session.expires);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
