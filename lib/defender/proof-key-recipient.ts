import type { ProofKey } from '../token/mint.js';
import { makeRecipient, openProofKey, recipientThumbprint } from './proof-key-jwe.js';

/** Life of a key, in seconds: the longest there is, and the shortest that is worth a request. */
const LIFE = { min: 15, max: 900 } as const;

/** A proof key as the server granted it. */
export interface GrantedProofKey extends ProofKey {
  /** Seconds. */
  readonly expiresIn: number;
}

/** One request for a proof key: what it says, and who can read the answer. */
export interface ProofKeyExchange {
  readonly content: Uint8Array<ArrayBuffer>;
  /**
   * Opens the answer, which must be for the instance `id`.
   * @throws when it is not exactly what PROTOCOL section 10 says
   */
  open(answer: string | undefined, id: string): Promise<GrantedProofKey>;
}

/** Begins an exchange, with a key pair of its own. */
export async function beginExchange(): Promise<ProofKeyExchange> {
  const { privateKey, publicKey } = await makeRecipient();
  return {
    content: new TextEncoder().encode(JSON.stringify({ recipientKey: publicKey })),
    open: async (answer, id) => {
      const { kid, alg, jwe, expiresIn } = JSON.parse(answer ?? '') as Readonly<Record<string, unknown>>;
      if (alg !== 'HS256' || !isKid(kid, id) || !isLife(expiresIn))
        throw new TypeError('No proof key of this instance');
      const recipient = await recipientThumbprint(publicKey);
      return { kid, key: await openProofKey(String(jwe), privateKey, { instanceId: id, recipient }), expiresIn };
    },
  };
}

function isKid(value: unknown, id: string): value is string {
  return typeof value === 'string' && /^.{43}~[A-Za-z0-9_-]{34}$/.test(value) && value.startsWith(`${id}~`);
}

function isLife(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= LIFE.min && value <= LIFE.max;
}
