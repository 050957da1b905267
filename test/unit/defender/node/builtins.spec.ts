import { describe, expect, it } from 'vitest';
import { changedBuiltins, LOADER_BUILTINS, MEMORY_BUILTINS } from '../../../../lib/defender/node/builtins.js';
import { pristineTexts } from '../../../../lib/defender/node/pristine.js';

describe('what is watched', () => {
  const names = [...MEMORY_BUILTINS, ...LOADER_BUILTINS];

  it('is there in a fresh thread: no name is a slip', async () => {
    const texts = await pristineTexts(names);
    expect(Object.keys(texts).toSorted()).toEqual(names.toSorted());
    const other = Object.entries(texts).filter(([, text]) => !/^(async )?(function|class|\w+\(|\(|get )/.test(text));
    expect(other).toEqual([['node:module._extensions', 'object']]);
  });

  it('has no name twice', () => {
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('what has changed', () => {
  it('is seen when it is replaced, and no more when it is put back', async () => {
    const { random } = Math;
    expect(await changedBuiltins(['Math.random'])).toEqual([]);
    try {
      Math.random = () => 0.5;
      expect(await changedBuiltins(['Math.random', 'Reflect.get'])).toEqual(['Math.random']);
    } finally {
      Math.random = random;
    }
    expect(await changedBuiltins(['Math.random'])).toEqual([]);
  });

  it('is seen when an object in the way has a property of its own', async () => {
    const { subtle } = crypto;
    try {
      Object.defineProperty(subtle, 'digest', { value: () => 0, configurable: true });
      expect(await changedBuiltins(['crypto.subtle.digest', 'crypto.subtle.sign'])).toEqual(['crypto.subtle.digest']);
    } finally {
      Reflect.deleteProperty(subtle, 'digest');
    }
  });

  it('a name that is not watched counts as changed', async () => {
    expect(await changedBuiltins(['Math.max'])).toEqual(['Math.max']);
  });
});
