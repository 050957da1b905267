// Calls between the benchmark and its child processes, over the channel that `fork` opens.
import { execFileSync, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** A child process, and calls into it. */
export class Child {
  #process;
  #waiting = new Map();
  #last = 0;

  /**
   * @param {URL} module what the child runs
   * @param {{ node?: string, heap?: number }} [options] `node`: another binary than this one; `heap`: megabytes
   */
  constructor(module, { node, heap } = {}) {
    const execArgv = ['--expose-gc', ...(process.env.TAB_BENCH_EXEC_ARGV?.split(' ') ?? [])];
    if (heap !== undefined) execArgv.push(`--max-old-space-size=${heap}`);
    this.#process = fork(module, { execPath: node ?? process.execPath, execArgv });
    this.#process.on('message', ({ id, error, value }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(value);
      else reject(new Error(error));
    });
    this.#process.once('exit', (code) => this.#fail(new Error(`a child process of the benchmark ended (${code})`)));
    this.#process.once('error', (error) => this.#fail(error));
  }

  get pid() {
    return this.#process.pid;
  }

  call(name, value) {
    if (!this.#process.connected) return Promise.reject(new Error('a child process of the benchmark has ended'));
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.send({ id, name, value });
    });
  }

  /** Lets the child clean up; it ends once nobody is there to call it. */
  async end() {
    if (!this.#process.connected) return;
    const over = new Promise((resolve) => this.#process.once('exit', resolve));
    await this.call('close').catch(() => undefined);
    if (this.#process.connected) this.#process.disconnect();
    await over;
  }

  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** In a child: answers calls by these functions. */
export function answer(handlers) {
  process.on('message', async ({ id, name, value }) => {
    try {
      process.send({ id, value: await (name === 'close' ? clean() : handlers[name](value)) });
    } catch (error) {
      process.send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  // Whoever started this may have been stopped; what was made has to go all the same.
  let cleaned = false;
  const clean = async () => {
    if (cleaned) return;
    cleaned = true;
    await handlers.close();
  };
  process.on('disconnect', () => clean().finally(() => process.exit()));
}

/**
 * Gives the main thread of the servers the first core and the load the last one, where there are two. Other threads of the
 * servers (signatures, garbage collection) run where there is room.
 *
 * @returns {boolean} whether it could be done
 */
export function pin(pid, role) {
  const cores = availableParallelism();
  if (cores < 2 || process.env.TAB_BENCH_NO_PIN) return false;
  const args = role === 'load' ? ['-a', '-c', '-p', String(cores - 1)] : ['-c', '-p', '0'];
  try {
    execFileSync('taskset', [...args, String(pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
