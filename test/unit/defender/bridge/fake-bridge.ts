import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { BridgeSignature, NativeBridge } from '../../../../lib/defender/bridge/index.js';

/** One call that the shell got. */
export interface BridgeCall {
  readonly method: string;
  readonly call: Readonly<Record<string, unknown>>;
}

/** A shell as it should be: keys of `node:crypto` in place of a secure element. Every argument must survive JSON. */
export class FakeBridge implements NativeBridge {
  readonly bridgeVersion: number = 1;
  readonly calls: BridgeCall[] = [];
  readonly keys = new Map<string, { privateKey: KeyObject; publicKey: KeyObject; challenge?: string }>();
  readonly states = new Map<string, string>();
  measured: unknown = { found: [], clear: ['root'] };
  statement: unknown = { x5c: ['MAA='] };
  listener: (names: readonly string[]) => void = () => undefined;
  onThreats?: NativeBridge['onThreats'] = (listener) => {
    const before = this.listener;
    this.listener = (names) => {
      before(names);
      listener(names);
    };
    return () => undefined;
  };

  async loadKey(call: { alias: string }) {
    this.#note('loadKey', call);
    const key = this.keys.get(call.alias);
    return key ? { spki: key.publicKey.export({ type: 'spki', format: 'der' }).toString('base64') } : null;
  }

  async generateKey(call: { alias: string; challenge?: string }) {
    this.#note('generateKey', call);
    if (!this.keys.has(call.alias)) {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      this.keys.set(call.alias, { ...pair, challenge: call.challenge });
    }
    return { spki: this.#key(call.alias).publicKey.export({ type: 'spki', format: 'der' }).toString('base64') };
  }

  async sign(call: { alias: string; data: string }): Promise<BridgeSignature> {
    this.#note('sign', call);
    const { privateKey } = this.#key(call.alias);
    return { der: sign('sha256', Buffer.from(call.data, 'base64'), privateKey).toString('base64') };
  }

  async deleteKey(call: { alias: string }): Promise<unknown> {
    this.#note('deleteKey', call);
    return this.keys.delete(call.alias);
  }

  async attestation(call: { alias: string; format: string; challenge: string }): Promise<unknown> {
    this.#note('attestation', call);
    return this.statement;
  }

  async loadState(call: { alias: string }) {
    this.#note('loadState', call);
    return this.states.get(call.alias) ?? null;
  }

  async saveState(call: { alias: string; state: string | null }): Promise<unknown> {
    this.#note('saveState', call);
    if (call.state === null) this.states.delete(call.alias);
    else this.states.set(call.alias, call.state);
    return null;
  }

  async measure(): Promise<never> {
    return this.measured as never;
  }

  /** The calls of one method. */
  of(method: string): BridgeCall['call'][] {
    return this.calls.filter((each) => each.method === method).map((each) => each.call);
  }

  #note(method: string, call: object): void {
    const copy = JSON.parse(JSON.stringify(call)) as BridgeCall['call'];
    this.calls.push({ method, call: copy });
  }

  #key(alias: string) {
    const key = this.keys.get(alias);
    if (!key) throw new Error('no such key');
    return key;
  }
}

/** A shell with one method replaced. */
export function aBridge(change: Partial<NativeBridge> = {}): FakeBridge {
  return Object.assign(new FakeBridge(), change);
}
