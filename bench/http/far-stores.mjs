// Stores that keep nothing in this process but a few octets per instance: what memory a request leaves is then the module's.
import { APP } from './facts.mjs';

const KEY_OCTETS = 64;

/** Instance keys side by side, found by a table of their ids' first octets. The same structure is there without the module. */
export class FarKeys {
  #keys = Buffer.alloc(0);
  #index = new Map();
  #sids = Buffer.alloc(0);

  /** @param {readonly { id: string, publicKey: { x: string, y: string }, sid: string, credentialHash: string }[]} identities */
  add(identities) {
    const keys = identities.map(({ publicKey: { x, y } }) =>
      Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]),
    );
    const sids = identities.flatMap(({ sid, credentialHash }) => [
      Buffer.from(sid, 'base64url'),
      Buffer.from(credentialHash, 'base64url'),
    ]);
    const first = this.#keys.length / KEY_OCTETS;
    identities.forEach(({ id }, at) => this.#index.set(Buffer.from(id, 'base64url').readUIntBE(0, 6), first + at));
    this.#keys = Buffer.concat([this.#keys, ...keys]);
    this.#sids = Buffer.concat([this.#sids, ...sids]);
  }

  /** What a database would answer about an instance and its session. */
  load(id) {
    const at = this.#index.get(Buffer.from(id, 'base64url').readUIntBE(0, 6));
    if (at === undefined) return {};
    const text = (octets, index) => octets.toString('base64url', index * 32, (index + 1) * 32);
    const publicKey = { kty: 'EC', crv: 'P-256', x: text(this.#keys, 2 * at), y: text(this.#keys, 2 * at + 1) };
    const attested = {
      assurance: 'none',
      format: 'none',
      attestedAt: 0,
      attestationExpiresAt: 0,
      attestationClaims: {},
    };
    const status = { status: 'active', statusReason: null, statusAt: 0, suspendedBy: [] };
    const app = { appId: APP.id, appVersion: APP.ver, platform: 'android', algorithm: 'ES256', publicKey };
    const credential = {
      credentialHash: text(this.#sids, 2 * at + 1),
      previousCredentialHash: null,
      previousValidUntil: null,
    };
    const life = { createdAt: 0, expiresAt: 4_000_000_000, endedAt: null, endReason: null };
    return {
      instance: { id, ...app, ...status, ...attested, createdAt: 0, revision: 1 },
      session: { id: text(this.#sids, 2 * at), instanceId: id, subject: `user of ${id}`, ...credential, ...life },
    };
  }
}

/** The two ports over such keys. */
export async function farStores(keys) {
  const { BindingStore, NonceStore } = await import('../../dist/index.js');
  class FarNonces extends NonceStore {
    async claim() {
      return true;
    }
  }
  class FarBindings extends BindingStore {
    async load({ instanceId }) {
      return keys.load(instanceId);
    }
    async sweep() {
      return 0;
    }
  }
  return { nonces: new FarNonces(), bindings: new FarBindings() };
}
