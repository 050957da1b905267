import { told, transfer, type Attempt } from './attempt.js';
import { AMOUNT, readAccount, type Scene } from './scene.js';
import { sessionRevokedEvent } from './services.js';

/** What operators and other services do, and what they see. */
export const OPERATOR_ATTEMPTS: readonly Attempt[] = [
  { what: 'a revoked session', expected: '401 invalid_session', run: revokedSession },
  { what: 'an event: the identity provider ended a session', expected: '202', run: sessionRevoked },
  {
    what: 'that session',
    expected: '401 invalid_session',
    run: (scene) => transfer(scene, scene.attested),
  },
  { what: 'the decisions, without the operator key', expected: '401', run: ({ api }) => summary(api) },
  {
    what: 'what was reported, with the operator key',
    expected: '200 debugger tamper vpn x-bank-sim-change',
    run: ({ api, bank }) => summary(api, bank.operatorKey),
  },
];

/** Transfers that were accepted: an honest one, one after recovery, one after a step-up, and those of the two phones. */
const TRANSFERS = 5;

/** Comes last. */
export const OUTCOME: Attempt = {
  what: 'after all that: what Bob got',
  expected: `${TRANSFERS * AMOUNT} cents`,
  run: moneyMoved,
};

async function revokedSession(scene: Scene): Promise<string> {
  await scene.bank.revokeSession(scene.alice.sessionId);
  return transfer(scene);
}

/** Pushed as RFC 8935 says; the signature is the identity provider's own. */
async function sessionRevoked({ api, attested, bank }: Scene): Promise<string> {
  const response = await fetch(`${api}/tab/events`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/secevent+jwt', Accept: 'application/json' },
    body: await sessionRevokedEvent(bank.identityProvider, attested.sessionId),
  });
  return told(response);
}

async function summary(api: string, key?: string): Promise<string> {
  const headers = new Headers(key === undefined ? {} : { Authorization: `Operator ${key}` });
  const response = await fetch(`${api}/operator/summary?by=threat`, { headers });
  if (response.status !== 200) return told(response);
  const { rows } = (await response.json()) as { rows: { key: string }[] };
  const threats = rows.map((row) => row.key).sort();
  return [told(response), ...threats].join(' ');
}

async function moneyMoved({ api, bob }: Scene): Promise<string> {
  const { balance } = await readAccount(api, bob.device, bob.accessToken);
  return `${balance - bob.account.balance} cents`;
}
