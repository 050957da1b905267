import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TurnBatcher, type BatchLimits } from '../../../../lib/stores/typeorm/work/turn-batcher.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Long enough for an answer to arrive, and for what it lets through to be sent. */
const turns = (): Promise<void> => turn().then(turn);
const UNAVAILABLE = { code: 'store_unavailable' };

interface Batch {
  readonly questions: readonly string[];
  /** Answers each question with `<question>!`, unless told otherwise. */
  answer(answers?: readonly string[]): Promise<void>;
  fail(error?: Error): Promise<void>;
}

/** A batcher whose batches wait for the test. */
function aBatcher(limits: Partial<BatchLimits> = {}) {
  const batches: Batch[] = [];
  const answerAll = (questions: readonly string[]): Promise<readonly string[]> =>
    new Promise((resolve, reject) => {
      batches.push({
        questions,
        answer: (answers = questions.map((question) => `${question}!`)) => (resolve(answers), turns()),
        fail: (error = new Error('lost')) => (reject(error), turns()),
      });
    });
  const defaults = { maxBatch: 100, maxInFlight: 2, patience: 5, maxWaiting: 100 };
  const batcher = new TurnBatcher('questions', answerAll, { ...defaults, ...limits });
  const ask = (question: string): Promise<string> => {
    const answer = batcher.ask(question, question);
    answer.catch(() => undefined);
    return answer;
  };
  const batch = (index: number): Batch => {
    const found = batches[index];
    if (!found) throw new Error(`no batch ${index}`);
    return found;
  };
  const asked = () => batches.map(({ questions }) => questions.join(''));
  return { ask, batch, asked };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('batches of questions', () => {
  it('hold those of one turn, each once, and answer each caller', async () => {
    const { ask, batch, asked } = aBatcher();
    const answers = [ask('a'), ask('b'), ask('a')];
    await Promise.resolve();
    answers.push(ask('c'));
    expect(asked()).toEqual([]);
    await turn();
    expect(asked()).toEqual(['abc']);
    await batch(0).answer();
    expect(await Promise.all(answers)).toEqual(['a!', 'b!', 'a!', 'c!']);
  });

  it('are joined until they are sent, and never afterwards', async () => {
    const { ask, batch, asked } = aBatcher();
    const early = ask('a');
    await turn();
    const late = ask('a');
    await batch(0).answer(['old']);
    expect(asked()).toEqual(['a', 'a']);
    await batch(1).answer(['new']);
    expect(await Promise.all([early, late])).toEqual(['old', 'new']);
  });

  it('gather while one is under way, up to their size', async () => {
    const { ask, batch, asked } = aBatcher({ maxBatch: 3 });
    for (const question of 'abc') {
      void ask(question);
      await turn();
    }
    expect(asked()).toEqual(['a']);
    void ask('d');
    await turn();
    expect(asked()).toEqual(['a', 'bcd']);
    for (const question of 'efgh') void ask(question);
    await turn();
    expect(asked()).toEqual(['a', 'bcd']);
    await batch(0).answer();
    expect(asked()).toEqual(['a', 'bcd', 'efg']);
    await batch(1).answer();
    await batch(2).answer();
    expect(asked()).toEqual(['a', 'bcd', 'efg', 'h']);
  });

  it('go on beside one that hangs', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { ask, batch, asked } = aBatcher({ patience: 5 });
    void ask('a');
    await turn();
    const later = [ask('b'), ask('c')];
    vi.advanceTimersByTime(4);
    expect(asked()).toEqual(['a']);
    vi.advanceTimersByTime(1);
    expect(asked()).toEqual(['a', 'bc']);
    void ask('d');
    vi.advanceTimersByTime(100);
    expect(asked()).toEqual(['a', 'bc']);
    await batch(1).answer();
    expect(await Promise.all(later)).toEqual(['b!', 'c!']);
    vi.advanceTimersByTime(5);
    expect(asked()).toEqual(['a', 'bc', 'd']);
  });

  it('belong to no request', async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const limits = { maxBatch: 9, maxInFlight: 1, patience: 5, maxWaiting: 9 };
    const batcher = new TurnBatcher<string, string>(
      'questions',
      async (questions) => (seen.push(context.getStore()), questions),
      limits,
    );
    const within = (name: string) =>
      context.run(name, () => batcher.ask(name, name).then((answer) => [answer, context.getStore()]));
    expect(await Promise.all([within('one'), within('two')])).toEqual([
      ['one', 'one'],
      ['two', 'two'],
    ]);
    await within('three');
    expect(seen).toEqual([undefined, undefined]);
  });
});

describe('a batch of questions that fails', () => {
  it('refuses all its callers, and no other', async () => {
    const { ask, batch } = aBatcher({ maxBatch: 2 });
    const answers = [ask('a'), ask('b'), ask('a'), ask('c')];
    await turn();
    await batch(0).fail(Object.assign(new Error('secret'), { code: 'X1', parameters: ['secret'] }));
    await batch(1).answer();
    for (const refused of answers.slice(0, 3)) await expect(refused).rejects.toMatchObject(UNAVAILABLE);
    expect(await answers[3]).toBe('c!');
    const error: unknown = await answers[0]?.catch((reason: unknown) => reason);
    expect(JSON.stringify([String(error), error, (error as Error).cause])).not.toContain('secret');
  });

  it('is one whose answers are not as many as its questions', async () => {
    const { ask, batch } = aBatcher();
    const answers = [ask('a'), ask('b')];
    await turn();
    await batch(0).answer(['b!']);
    for (const answer of answers) await expect(answer).rejects.toMatchObject(UNAVAILABLE);
  });
});

describe('the queue of questions', () => {
  it('refuses what is above its limit at once, and takes questions again', async () => {
    const { ask, batch } = aBatcher({ maxInFlight: 1, maxWaiting: 4 });
    const first = ask('a');
    await turn();
    const waiting = [ask('b'), ask('b'), ask('c')];
    for (const question of ['b', 'd']) {
      await expect(ask(question)).rejects.toMatchObject({ ...UNAVAILABLE, hints: { retryAfter: 2 } });
    }
    await batch(0).answer();
    await batch(1).answer();
    expect(await Promise.all([first, ...waiting])).toEqual(['a!', 'b!', 'b!', 'c!']);
    const again = ['a', 'b', 'c', 'd'].map(ask);
    await turn();
    await batch(2).fail();
    for (const answer of again) await expect(answer).rejects.toMatchObject(UNAVAILABLE);
    const last = ask('e');
    await turn();
    await batch(3).answer();
    expect(await last).toBe('e!');
  });
});
