import { told, transfer, type Attempt } from './attempt.js';
import { createDevice } from './device.js';
import { AMOUNT, callOf, readAccounts, transferOf, type Scene } from './scene.js';

/** How far an old token is behind, in milliseconds; its life is 60 s. */
const TWO_MINUTES = 120_000;

/** A token is for one request of one instance, once. */
export const REQUEST_ATTEMPTS: readonly Attempt[] = [
  { what: 'an honest transfer', expected: '201', run: (scene) => transfer(scene) },
  { what: 'the same transfer again, token and all', expected: '401 use_tab_nonce', run: replay },
  { what: 'a replayed token', expected: '401 replayed_token', run: replayedRead },
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
];

/** On this route the challenge is spent with the token, so that is what the bank misses. */
async function replay({ alice }: Scene): Promise<string> {
  const { request } = alice.device.wire;
  if (!request) throw new Error('nothing was overheard');
  return told(await fetch(request.url, request.init));
}

async function replayedRead(scene: Scene): Promise<string> {
  const response = await readAccounts(scene.api, scene.alice);
  if (response.status !== 200) return told(response);
  return replay(scene);
}

async function scriptWithAccessToken(scene: Scene): Promise<string> {
  return told(await fetch(...callOf(transferOf(scene))));
}

async function stolenSession(scene: Scene): Promise<string> {
  return told(await scene.thief.defender.fetch(...callOf(transferOf(scene))));
}

async function changedAmount(scene: Scene): Promise<string> {
  const { defender, wire } = scene.alice.device;
  const token = await defender.token({ ...transferOf(scene), nonce: wire.challenge });
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
  const clock = () => scene.bank.clock.now() - TWO_MINUTES;
  const { defender } = createDevice(scene.api, { keyStore, clock });
  const request = transferOf(scene);
  const token = await defender.token({ ...request, nonce: wire.challenge });
  await defender.close();
  return told(await fetch(...callOf(request, token)));
}
