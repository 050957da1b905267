// A process of a benchmark, and calls to it, one at a time.
import { fork } from 'node:child_process';
import { once } from 'node:events';

/** In the child: answers the calls of the parent, and ends, after `close`, when the parent lets go of it or is gone. */
export function answer(calls, close = async () => undefined) {
  process.on('message', ({ call, ...args }) => {
    calls[call](args).then(
      (result) => process.send(result ?? {}),
      (error) => process.send({ error: error.message }),
    );
  });
  process.on('disconnect', () => close().finally(() => process.exit()));
  process.send({});
}

/** In the parent: starts a module as a child. */
export async function start(file, ...args) {
  const child = fork(file, args);
  const name = [file, ...args].join(' ');
  let settle = deferred();
  child.on('message', ({ error, ...rest }) => (error === undefined ? settle.resolve(rest) : settle.reject(error)));
  child.on('exit', () => settle.reject(`${name} ended`));
  const answered = () => {
    settle = deferred();
    return settle.promise.catch((error) => Promise.reject(new Error(error)));
  };
  const call = (what, more = {}) => {
    const promise = answered();
    child.send({ call: what, ...more });
    return promise;
  };
  const stop = async () => {
    if (!child.connected) return;
    const gone = once(child, 'exit');
    settle.promise.catch(() => undefined);
    child.disconnect();
    await gone;
  };
  await settle.promise.catch((error) => Promise.reject(new Error(error)));
  return { call, stop };
}

/** A promise with its two ends. */
export function deferred() {
  let settle;
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}
