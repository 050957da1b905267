import { createDefender, memoryKeyStore, type MintRequest } from 'nestjs-tab/defender';
import { indexedDbKeyStore } from 'nestjs-tab/defender/web';
import { outcomeOf, told } from '../answers.js';
import { APP } from '../device.js';
import { untouchedFetch, type SentRequest } from '../wire.js';
import { AMOUNT, honestTransfer, type Attack, type Scene, type Step } from './attack.js';

/** Milliseconds that a clock is set ahead; a token lives for 60 s. */
const TEN_MINUTES = 600_000;

/** A token is for one request of one instance, once. */
export const REQUEST_ATTACKS: readonly Attack[] = [
  {
    id: 'replay-read',
    title: 'Replay a request',
    what: 'Records a request of the app and sends it once more: every header, the access token and the TAB token are the same, and all of them are genuine.',
    steps: () => [
      { what: 'The app reads the accounts', expected: '200', run: ({ customer }) => customer.readAccounts() },
      { what: 'The very same request again', expected: '401 replayed_token', run: replay },
    ],
  },
  {
    id: 'replay-transfer',
    title: 'Replay a transfer',
    what: 'The same with a transfer, to be paid twice. Here the challenge of the bank is spent together with the token.',
    steps: () => [
      honestTransfer('The app moves money'),
      { what: 'The very same request again', expected: '401 use_tab_nonce', run: replay },
    ],
  },
  {
    id: 'bot',
    title: 'Use the access token in a bot',
    what: 'Steals the access token, as malware or a leaky log would, and moves money with a script that has no Defender.',
    steps: () => [
      { what: 'A transfer with the stolen access token alone', expected: '401 missing_token', run: transferAsBot },
    ],
  },
  {
    id: 'second-instance',
    title: 'Use it in another enrolled app',
    what: 'Steals access token and session id, and uses them in a second, properly enrolled instance of the app, with a key of its own.',
    steps: () => [{ what: 'That instance asks for the accounts', expected: '401 invalid_session', run: readAsThief }],
  },
  {
    id: 'changed-amount',
    title: 'Change the amount on the way',
    what: 'Sits between app and bank, takes a transfer with its valid token, and multiplies the amount by a hundred.',
    steps: () => [
      honestTransfer('The app moves money; the answer brings the next challenge'),
      { what: 'A token for one amount, sent with another', expected: '401 request_mismatch', run: changeAmount },
    ],
  },
  {
    id: 'pre-mint',
    title: 'Make tokens for later',
    what: 'Has the device for a moment, and makes two tokens for transfers over the same challenge: one to use now, one for later.',
    steps: preMint,
  },
  {
    id: 'clock-ahead',
    title: 'Set the clock ahead',
    what: "Makes a token with the device's own key while its clock is ten minutes ahead, so that it would become valid later.",
    steps: () => [
      honestTransfer('The app moves money; the answer brings the next challenge'),
      { what: 'A transfer with a token from the future', expected: '401 stale_token', run: transferFromTheFuture },
    ],
  },
];

function replay({ device }: Scene): Promise<string> {
  const { accepted } = device.wire;
  if (accepted === undefined) throw new Error('Nothing was recorded');
  return send(accepted);
}

function transferAsBot({ customer }: Scene): Promise<string> {
  return send(callOf(customer.describe(customer.orderOf(AMOUNT))));
}

/** Enrols an instance of its own, and puts the stolen session into its memory. The key of this device cannot be copied. */
async function readAsThief({ device, customer }: Scene): Promise<string> {
  const { api } = device;
  const options = { api, app: APP, keyStore: memoryKeyStore(), probes: [], proofKeys: false, fetch: untouchedFetch };
  const newcomer = createDefender(options);
  await newcomer.enrol();
  await newcomer.close();
  const state = await options.keyStore.loadState();
  if (state === undefined) throw new Error('An enrolled instance has a state');
  const apis = { [api]: { ...state.apis[api], session: device.defender.session } };
  await options.keyStore.saveState({ ...state, apis });
  const thief = createDefender(options);
  const headers = { Authorization: `Bearer ${customer.accessToken}` };
  return outcomeOf(thief.fetch(`${api}/accounts`, { headers })).finally(() => thief.close());
}

async function changeAmount({ device, customer }: Scene): Promise<string> {
  const signed = customer.describe(customer.orderOf(AMOUNT));
  const token = await device.defender.token({ ...signed, nonce: device.wire.challenge });
  return send(callOf(customer.describe(customer.orderOf(100 * AMOUNT)), token));
}

function preMint(): readonly Step[] {
  let later: SentRequest | undefined;
  return [
    honestTransfer('The app moves money; the answer brings the next challenge'),
    {
      what: 'Two tokens over that challenge; the first is used',
      expected: '201',
      run: async ({ device, customer }) => {
        const request = { ...customer.describe(customer.orderOf(AMOUNT)), nonce: device.wire.challenge };
        const now = callOf(request, await device.defender.token(request));
        later = callOf(request, await device.defender.token(request));
        return send(now);
      },
    },
    {
      what: 'The second one, kept for later',
      expected: '401 use_tab_nonce',
      run: async () => (later === undefined ? 'there is none' : send(later)),
    },
  ];
}

async function transferFromTheFuture({ device, customer }: Scene): Promise<string> {
  const request = customer.describe(customer.orderOf(AMOUNT));
  const defender = createDefender({
    api: device.api,
    app: APP,
    keyStore: indexedDbKeyStore(),
    probes: [],
    clock: () => Date.now() + TEN_MINUTES,
  });
  const token = await defender.token({ ...request, nonce: device.wire.challenge });
  await defender.close();
  return send(callOf(request, token));
}

/** By plain `fetch`, past the Defender: nothing is repaired, nothing is tried again. */
async function send({ url, init }: SentRequest): Promise<string> {
  return told(await untouchedFetch(url, init));
}

/** The request that was described, with a token or without. */
function callOf({ method, url, content, contentType, credential }: MintRequest, token?: string): SentRequest {
  const headers = new Headers({ Authorization: `Bearer ${credential}` });
  if (contentType !== undefined) headers.set('Content-Type', contentType);
  if (token !== undefined) headers.set('TAB-Token', token);
  return { url: String(url), init: { method, headers, body: content?.slice() } };
}
