// The load: raw sockets, kept alive, one request at a time on each, the next one when the answer is complete.
import { connect } from 'node:net';

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const LENGTH = /\r\ncontent-length: *(\d+)/i;

/** Octets of the first answer in `data` and its status; undefined while it is not complete. */
function readAnswer(data) {
  const end = data.indexOf(END_OF_HEAD);
  if (end === -1) return undefined;
  const head = data.latin1Slice(0, end + 2);
  const length = LENGTH.exec(head);
  if (length === null) throw new Error(`an answer without Content-Length: ${head.slice(0, 200)}`);
  const total = end + 4 + Number(length[1]);
  return data.length < total ? undefined : { total, status: Number(head.slice(9, 12)) };
}

/** One connection. `send` resolves nothing: `onAnswer` is told the status. */
class Connection {
  #socket;
  #pending;
  onAnswer;
  onError;

  open(port) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (data) => this.#take(data));
    return new Promise((resolve, reject) => {
      this.#socket.once('connect', resolve);
      this.#socket.on('error', (error) => (reject(error), this.onError?.(error)));
      this.#socket.on('close', () => this.onError?.(new Error('the server closed a connection')));
    });
  }

  send(head, body) {
    if (body === undefined) {
      this.#socket.write(head);
      return;
    }
    this.#socket.cork();
    this.#socket.write(head);
    this.#socket.write(body);
    this.#socket.uncork();
  }

  close() {
    this.onError = undefined;
    this.#socket.destroy();
  }

  #take(data) {
    const all = this.#pending === undefined ? data : Buffer.concat([this.#pending, data]);
    const answer = readAnswer(all);
    this.#pending = answer === undefined ? all : undefined;
    if (answer === undefined) return;
    if (answer.total !== all.length) this.onError(new Error('more octets than one answer has'));
    else this.onAnswer(answer.status);
  }
}

export async function openConnections(port, count) {
  const connections = Array.from({ length: count }, () => new Connection());
  await Promise.all(connections.map((connection) => connection.open(port)));
  return connections;
}

/**
 * Sends every request once.
 *
 * @param {{ heads: readonly Buffer[], body?: Buffer }} requests
 * @returns {Promise<{ ms: number, statuses: Record<string, number>, times: Float64Array }>} `times`: ms of each request
 */
export function fire(connections, { heads, body }) {
  const times = new Float64Array(heads.length);
  const statuses = {};
  let next = 0;
  let done = 0;
  const started = performance.now();
  return new Promise((resolve, reject) => {
    for (const connection of connections) {
      let index = 0;
      let at = 0;
      const send = () => {
        if (next === heads.length) return;
        index = next;
        next += 1;
        at = performance.now();
        connection.send(heads[index], body);
      };
      connection.onError = reject;
      connection.onAnswer = (status) => {
        times[index] = performance.now() - at;
        statuses[status] = (statuses[status] ?? 0) + 1;
        done += 1;
        if (done === heads.length) resolve({ ms: performance.now() - started, statuses, times });
        else send();
      };
      send();
    }
  });
}
