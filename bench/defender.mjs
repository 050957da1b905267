// What the Defender adds to a request: its `fetch` against the platform's, one after the other, against a server in a
// process of its own that answers without checking anything.
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const SELF = fileURLToPath(import.meta.url);
const ROUNDS = 180;
const REQUESTS = 10;
/** Milliseconds that a request may take longer, at the median. */
const LIMIT = 1.5;
const PROBES = ['root', 'hooking', 'debugger', 'tamper', 'emulator', 'automation'];
const BODY = JSON.stringify({ to: 'DE02120300000000202051', amount: '12.50', note: 'x'.repeat(960) });

/** The endpoints that a Defender needs, and 200 for everything else. */
function answer(message, reply) {
  if (message.url === '/tab/challenge') return json(reply, 201, { challenge: 'c'.repeat(43), expiresIn: 300 });
  if (message.url !== '/tab/instances') return json(reply, 200, { ok: true });
  const [header] = String(message.headers['tab-token']).split('.');
  const { crv, kty, x, y } = JSON.parse(Buffer.from(header, 'base64url')).jwk;
  const instanceId = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  reply.setHeader('TAB-Nonce', 'n'.repeat(43));
  return json(reply, 201, { instanceId, assurance: 'none', attestation: { format: 'none', at: 0, expiresAt: 0 } });
}

function json(reply, status, body) {
  reply.writeHead(status, { 'Content-Type': 'application/json' });
  reply.end(JSON.stringify(body));
}

/** In the child: serves until the parent is gone. */
function serve() {
  const server = createServer((message, reply) => {
    message.resume().on('end', () => answer(message, reply));
  });
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
  process.on('disconnect', () => process.exit());
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const round = (value) => Math.round(value * 1000) / 1000;

async function timed(send, times) {
  for (let i = 0; i < REQUESTS; i += 1) {
    const started = performance.now();
    const response = await send();
    await response.arrayBuffer();
    times?.push(performance.now() - started);
  }
}

/** Plain and Defender by turns, so that a drifting machine drifts for both. */
async function compare(plain, defender) {
  const times = { plain: [], defender: [] };
  for (let i = -20; i < ROUNDS; i += 1) {
    // The first rounds warm up.
    await timed(plain, i < 0 ? undefined : times.plain);
    await timed(defender, i < 0 ? undefined : times.defender);
  }
  const [base, guarded] = [median(times.plain), median(times.defender)];
  return {
    'plain, ms p50': round(base),
    'Defender, ms p50': round(guarded),
    'added, ms': round(guarded - base),
    [`under ${LIMIT} ms`]: guarded - base < LIMIT ? 'yes' : 'NO',
  };
}

export async function run() {
  const { createDefender, memoryKeyStore } = await import('../dist/defender/index.js');
  const child = fork(SELF, ['serve']);
  try {
    const { port } = await new Promise((resolve, reject) => child.once('message', resolve).once('error', reject));
    const api = `http://127.0.0.1:${port}`;
    const defender = createDefender({
      api,
      app: { id: 'com.example.bank', ver: '1.0.0', platform: 'node' },
      keyStore: memoryKeyStore(),
      probes: PROBES.map((name) => ({ name, run: () => 'clear' })),
    });
    const headers = {
      authorization: 'Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl',
      'content-type': 'application/json',
    };
    const cases = {
      'GET, with a credential': ['/accounts?limit=20', { headers: { authorization: headers.authorization } }],
      'POST of 1 kB': ['/transfers', { method: 'POST', headers, body: BODY }],
    };
    const results = {};
    for (const [name, [path, init]] of Object.entries(cases)) {
      results[name] = await compare(
        () => fetch(api + path, init),
        () => defender.fetch(api + path, init),
      );
    }
    await defender.close();
    return results;
  } finally {
    child.disconnect();
  }
}

if (process.argv[1] === SELF && process.argv[2] === 'serve') serve();
