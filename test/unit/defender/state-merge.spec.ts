import { describe, expect, it } from 'vitest';
import type { ApiState, DefenderState } from '../../../lib/defender/index.js';
import { mergeState } from '../../../lib/defender/state-merge.js';

const API = 'https://api.example';
const state = (api: ApiState, instanceId = 'i'): DefenderState => ({ instanceId, apis: { [API]: api } });
const session = (id: string, expires = 10) => ({ id, expires });
/** What a page writes that knew `base`, has `mine`, and finds `stored`. */
const merge = (base: ApiState | undefined, mine: ApiState, stored: ApiState | undefined) =>
  mergeState(base && state(base), state(mine), stored && state(stored)).apis[API];

describe('state of several pages', () => {
  it.each<[string, ApiState | undefined, ApiState, ApiState | undefined, ApiState]>([
    ['the first state', undefined, { enrolledAt: 1 }, undefined, { enrolledAt: 1 }],
    ["another's session is kept", {}, { skew: 3 }, { session: session('a') }, { skew: 3, session: session('a') }],
    [
      "another's newer session is kept",
      { session: session('a') },
      { session: session('a'), skew: 1 },
      { session: session('b') },
      { session: session('b'), skew: 1 },
    ],
    [
      'a session of its own replaces',
      {},
      { session: session('b') },
      { session: session('a') },
      { session: session('b') },
    ],
    ['it ends the session that it knew', { session: session('a') }, {}, { session: session('a') }, {}],
    [
      'though its members are in another order',
      { session: { expires: 10, id: 'a' } },
      {},
      { session: session('a') },
      {},
    ],
    [
      'it does not end one that came since',
      { session: session('a') },
      { session: undefined },
      { session: session('b') },
      { session: session('b') },
    ],
    ["another's ending holds", { session: session('a') }, { session: session('a'), skew: 1 }, {}, { skew: 1 }],
    ['of two changes the later wins', { skew: 1 }, { skew: 3 }, { skew: 2 }, { skew: 3 }],
    [
      'members that are not known here are kept',
      {},
      { skew: 1 },
      { later: 1 } as ApiState,
      { later: 1, skew: 1 } as ApiState,
    ],
  ])('%s', (_, base, mine, stored, expected) => {
    expect(merge(base, mine, stored)).toEqual(expected);
  });

  it('what another page knows of another server is kept', () => {
    const stored = { instanceId: 'i', apis: { 'https://other.example': { enrolledAt: 1 } } };
    expect(mergeState(state({}), state({ skew: 1 }), stored).apis).toEqual({
      'https://other.example': { enrolledAt: 1 },
      [API]: { skew: 1 },
    });
  });

  it('what is known of another key is not', () => {
    expect(mergeState(undefined, state({ skew: 1 }), state({ enrolledAt: 1 }, 'j'))).toEqual(state({ skew: 1 }));
    expect(mergeState(state({ skew: 1 }, 'j'), state({ skew: 1 }), undefined)).toEqual(state({ skew: 1 }));
  });
});
