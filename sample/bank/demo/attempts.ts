import { createDevice } from './device.js';
import { AMOUNT, callOf, readAccount, transferOf, type Scene } from './scene.js';

/** Something that is tried, and what the bank must answer: a status, and the code of a refusal. */
export interface Attempt {
  readonly what: string;
  readonly expected: string;
  run(scene: Scene): Promise<string>;
}

/** How far an old token is behind, in milliseconds; its life is 60 s. */
const TWO_MINUTES = 120_000;

/** In this order: some use what those before have left. */
export const ATTEMPTS: readonly Attempt[] = [
  { what: 'an honest transfer', expected: '201', run: honestTransfer },
  { what: 'the same request again, token and all', expected: '401 replayed_token', run: replay },
  {
    what: 'a script with a stolen access token, no TAB token',
    expected: '401 missing_token',
    run: scriptWithAccessToken,
  },
  {
    what: 'stolen access token and session id in another enrolled instance',
    expected: '401 invalid_session',
    run: stolenSession,
  },
  { what: 'a changed amount', expected: '401 request_mismatch', run: changedAmount },
  { what: 'a changed query', expected: '401 request_mismatch', run: changedQuery },
  { what: 'an old token', expected: '401 stale_token', run: oldToken },
  { what: 'a debugger reported', expected: '403 insufficient_trust', run: debuggerReported },
  { what: 'a probe not run', expected: '403 insufficient_trust', run: probeNotRun },
  { what: 'a revoked session', expected: '401 invalid_session', run: revokedSession },
  { what: 'after all that: what Bob got', expected: `${AMOUNT} cents`, run: moneyMoved },
];

/** `201`, or `401 replayed_token`. */
function told(response: Response): string {
  return [response.status, response.headers.get('tab-error') ?? ''].join(' ').trim();
}

async function honestTransfer(scene: Scene): Promise<string> {
  return told(await scene.alice.device.defender.fetch(...callOf(transferOf(scene))));
}

async function replay({ alice }: Scene): Promise<string> {
  const { request } = alice.device.wire;
  if (!request) throw new Error('nothing was overheard');
  return told(await fetch(request.url, request.init));
}

async function scriptWithAccessToken(scene: Scene): Promise<string> {
  return told(await fetch(...callOf(transferOf(scene))));
}

async function stolenSession(scene: Scene): Promise<string> {
  return told(await scene.thief.defender.fetch(...callOf(transferOf(scene))));
}

async function changedAmount(scene: Scene): Promise<string> {
  const token = await scene.alice.device.defender.token(transferOf(scene));
  return told(await fetch(...callOf(transferOf(scene, 100 * AMOUNT), token)));
}

async function changedQuery({ api, alice }: Scene): Promise<string> {
  const asked = { method: 'GET', url: `${api}/accounts?page=1`, credential: alice.accessToken };
  const token = await alice.device.defender.token(asked);
  return told(await fetch(...callOf({ ...asked, url: `${api}/accounts?page=2` }, token)));
}

/** Alice's own key, session and challenge, two minutes ago. */
async function oldToken(scene: Scene): Promise<string> {
  const { keyStore, wire } = scene.alice.device;
  const { defender } = createDevice(scene.api, { keyStore, clock: () => Date.now() - TWO_MINUTES });
  const request = transferOf(scene);
  const token = await defender.token({ ...request, nonce: wire.challenge });
  await defender.close();
  return told(await fetch(...callOf(request, token)));
}

async function debuggerReported(scene: Scene): Promise<string> {
  scene.alice.device.answers.debugger = 'found';
  const answer = await honestTransfer(scene);
  scene.alice.device.answers.debugger = 'clear';
  return answer;
}

async function probeNotRun(scene: Scene): Promise<string> {
  scene.alice.device.answers.hooking = 'unknown';
  const answer = await honestTransfer(scene);
  scene.alice.device.answers.hooking = 'clear';
  return answer;
}

async function revokedSession(scene: Scene): Promise<string> {
  await scene.revokeSession(scene.alice.sessionId);
  return honestTransfer(scene);
}

async function moneyMoved({ api, bob }: Scene): Promise<string> {
  const { balance } = await readAccount(api, bob.device, bob.accessToken);
  return `${balance - bob.account.balance} cents`;
}
