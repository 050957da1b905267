import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import {
  bridgeAttester,
  bridgeDefender,
  KeyChallenge,
  talsecProbe,
  type BridgeDefenderOptions,
  type NativeBridge,
} from '../../../../lib/defender/bridge/index.js';
import { refusal, type Answer, type Exchange } from '../fake-server.js';
import { failure, useHarness } from '../harness.js';
import { aBridge, type FakeBridge } from './fake-bridge.js';

const bindingOf = (...lines: string[]) => createHash('sha256').update(lines.join('\n')).digest();

describe('bridgeDefender', () => {
  const harness = useHarness();
  const defenderOf = (bridge: NativeBridge, override: Partial<BridgeDefenderOptions> = {}) =>
    bridgeDefender({
      bridge,
      api: harness.server.origin,
      app: { id: 'bank', ver: '1.2.3', platform: 'android' },
      clock: harness.clock.read,
      reenrolWait: 0,
      schedule: false,
      ...override,
    });
  const attestationOf = ({ body }: Exchange) =>
    (JSON.parse(body.toString()) as { attestation: { format: string; statement?: unknown } }).attestation;
  const enrolledOver = (exchange: Exchange | undefined) => String(exchange?.claims.nonce);

  it('signs in the shell, tells what the shell measured, and is known again after a restart', async () => {
    const bridge = aBridge();
    bridge.measured = { found: ['vpn'], clear: ['root'] };
    const first = defenderOf(bridge);
    expect((await first.fetch(`${harness.server.origin}/accounts`)).status).toBe(200);
    expect(harness.server.calls.at(-1)?.claims.rt).toMatchObject({ found: ['vpn'], clear: ['root'] });
    const second = defenderOf(bridge);
    await second.fetch(`${harness.server.origin}/accounts`);
    expect(second.instanceId).toBe(first.instanceId);
    expect(harness.server.enrolments).toHaveLength(1);
  });

  it('has further probes, and a shell with an event is measured anew', async () => {
    const bridge = aBridge();
    const talsec = talsecProbe((actions) => actions.debug(), { platform: 'android' });
    const defender = defenderOf(bridge, { probes: [talsec], evidenceMaxAge: 0 });
    await defender.fetch(`${harness.server.origin}/`);
    expect(harness.server.calls.at(-1)?.claims.rt.found).toEqual(['debugger']);
    bridge.listener(['overlay']);
    await defender.fetch(`${harness.server.origin}/`);
    expect(harness.server.calls.at(-1)?.claims.rt.found).toEqual(['overlay', 'debugger']);
  });

  it('looks again at once when the shell tells of a threat, or the application asks for it', async () => {
    const bridge = aBridge();
    let ask: () => void = () => undefined;
    const remeasureOn = (trigger: () => void) => {
      ask = trigger;
      return () => undefined;
    };
    let measured = 0;
    bridge.measure = async () => {
      measured += 1;
      return { found: [], clear: [] } as never;
    };
    const defender = defenderOf(bridge, { schedule: true, remeasureOn });
    await defender.fetch(`${harness.server.origin}/`);
    const before = measured;
    harness.clock.advance(10);
    bridge.listener(['overlay']);
    await vi.waitFor(() => expect(measured).toBe(before + 1));
    harness.clock.advance(10);
    ask();
    await vi.waitFor(() => expect(measured).toBe(before + 2));
    await defender.close();
  });

  it('sends nothing when the shell cannot sign', async () => {
    const defender = defenderOf(aBridge({ sign: () => Promise.reject(new Error('no')) }));
    expect(await failure(defender.fetch(`${harness.server.origin}/`))).toMatchObject({ code: 'key_store' });
    expect(harness.server.calls).toEqual([]);
  });

  it('attests by App Attest over the binding', async () => {
    const bridge = aBridge();
    bridge.statement = { keyId: 'a2V5', attestationObject: 'b2JqZWN0', extra: 'left out' };
    const defender = defenderOf(bridge, { attestation: 'apple-appattest' });
    await defender.enrol();
    const [enrolment] = harness.server.enrolments;
    const binding = bindingOf(
      'tab-enroll-v1',
      harness.server.origin,
      enrolledOver(enrolment),
      'bank',
      String(defender.instanceId),
    );
    expect(bridge.of('attestation')).toEqual([
      { alias: 'nestjs-tab', format: 'apple-appattest', challenge: binding.toString('base64') },
    ]);
    expect(attestationOf(enrolment as Exchange)).toEqual({
      format: 'apple-appattest',
      statement: { keyId: 'a2V5', attestationObject: 'b2JqZWN0' },
    });
    bridge.statement = { keyId: 'a2V5', assertion: 'YXNzZXJ0aW9u' };
    await defender.enrol();
    expect(attestationOf(harness.server.enrolments[1] as Exchange).statement).toEqual(bridge.statement);
  });

  it('gives Play Integrity the binding in base64url', async () => {
    const bridge = aBridge();
    bridge.statement = { token: 'integrity' };
    await defenderOf(bridge, { attestation: 'play-integrity' }).enrol();
    expect(String(bridge.of('attestation')[0]?.['challenge'])).toMatch(/^[\w-]{43}$/);
  });

  it.each([
    ['nothing', undefined],
    ['another format', { token: 'integrity' }],
    ['an empty chain', { x5c: [] }],
    ['a chain in base64url', { x5c: ['_-8='] }],
  ])('ends the enrolment when the shell attests with %s', async (_, statement) => {
    const bridge = aBridge();
    bridge.statement = statement;
    const defender = defenderOf(bridge, { attestation: 'android-key' });
    expect(await failure(defender.enrol())).toMatchObject({ code: 'attester_failed' });
    expect(harness.server.enrolments).toEqual([]);
  });

  describe('with android-key', () => {
    const keylessOf = (exchange: Exchange | undefined) =>
      bindingOf('tab-enroll-v1', harness.server.origin, enrolledOver(exchange), 'bank', '').toString('base64');
    const androidOf = (bridge: FakeBridge, override: Partial<BridgeDefenderOptions> = {}) =>
      defenderOf(bridge, { attestation: 'android-key', ...override });
    /** Refuses the next enrolment in this way. */
    const refuseOnce = (answer: Answer) => {
      const { server } = harness;
      server.onEnrol = () => {
        server.onEnrol = () => undefined;
        return answer;
      };
    };

    it('makes the key over the challenge that it then enrols with', async () => {
      const bridge = aBridge();
      await androidOf(bridge).enrol();
      const [enrolment] = harness.server.enrolments;
      expect(harness.server.challengesAsked).toBe(1);
      expect(bridge.of('generateKey')).toEqual([{ alias: 'nestjs-tab', challenge: keylessOf(enrolment) }]);
      expect(bridge.of('attestation')[0]?.['challenge']).toBe(keylessOf(enrolment));
      expect(attestationOf(enrolment as Exchange)).toEqual({ format: 'android-key', statement: { x5c: ['MAA='] } });
    });

    it('keeps an enrolled key over restarts, without a challenge', async () => {
      const bridge = aBridge();
      const first = androidOf(bridge);
      await first.fetch(`${harness.server.origin}/`);
      const second = androidOf(bridge);
      await second.fetch(`${harness.server.origin}/`);
      expect(second.instanceId).toBe(first.instanceId);
      expect(harness.server.challengesAsked).toBe(1);
    });

    it('makes a key that was never enrolled anew at the next start', async () => {
      const bridge = aBridge();
      const id = await androidOf(bridge).ready();
      const defender = androidOf(bridge);
      await defender.enrol();
      expect(defender.instanceId).not.toBe(id);
      expect(bridge.keys.get('nestjs-tab')?.challenge).toBe(keylessOf(harness.server.enrolments[0]));
    });

    it('uses the challenge again after a refusal that did not spend it', async () => {
      const bridge = aBridge();
      harness.strict = false;
      refuseOnce(refusal('stale_token', { 'TAB-Skew': '86400' }));
      await androidOf(bridge).enrol();
      const [first, second] = harness.server.enrolments;
      expect(enrolledOver(second)).toBe(enrolledOver(first));
      expect(second?.claims.iat).toBe(first?.claims.iat + 86_400);
    });

    it('makes key and challenge anew when the challenge is spent before the key was ever enrolled', async () => {
      const bridge = aBridge();
      const defender = androidOf(bridge);
      const id = await defender.ready();
      refuseOnce(refusal('use_tab_nonce'));
      expect((await defender.fetch(`${harness.server.origin}/`)).status).toBe(200);
      expect(defender.instanceId).not.toBe(id);
      const [first, second] = harness.server.enrolments;
      expect(enrolledOver(second)).not.toBe(enrolledOver(first));
      expect(bridge.keys.get('nestjs-tab')?.challenge).toBe(keylessOf(second));
      const again = androidOf(bridge);
      await again.fetch(`${harness.server.origin}/`);
      expect(again.instanceId).toBe(defender.instanceId);
    });

    it('does so also at the next request, when the server was away meanwhile', async () => {
      const bridge = aBridge();
      const defender = androidOf(bridge);
      await defender.ready();
      refuseOnce(refusal('use_tab_nonce'));
      harness.server.onChallenge = () => ({ status: 503 });
      expect(await failure(defender.fetch(`${harness.server.origin}/`))).toMatchObject({ code: 'enrolment_refused' });
      harness.server.onChallenge = () => undefined;
      expect((await defender.fetch(`${harness.server.origin}/`)).status).toBe(200);
    });

    it('gives up no key that was enrolled, even where that could not be written', async () => {
      const bridge = aBridge();
      const defender = androidOf(bridge);
      const id = await defender.ready();
      bridge.saveState = () => Promise.reject(new Error('full'));
      await defender.enrol();
      refuseOnce(refusal('use_tab_nonce'));
      expect(await failure(defender.enrol())).toMatchObject({ code: 'attester_failed' });
      expect(defender.instanceId).toBe(id);
      expect(bridge.of('deleteKey')).toEqual([]);
    });

    it.each<[string, (state: string) => string | undefined]>([
      ['lost', () => undefined],
      ['unreadable', () => '{'],
      ['of another key', (state) => state.replace(/"instanceId":"[^"]+"/, `"instanceId":"${'i'.repeat(43)}"`)],
    ])('keeps a key whose state is %s, until it is told to forget it', async (_, change) => {
      const bridge = aBridge();
      await androidOf(bridge).enrol();
      await vi.waitFor(() => expect(bridge.states.get('nestjs-tab')).toContain('enrolledAt'));
      const changed = change(String(bridge.states.get('nestjs-tab')));
      if (changed === undefined) bridge.states.delete('nestjs-tab');
      else bridge.states.set('nestjs-tab', changed);
      const defender = androidOf(bridge);
      expect(await failure(defender.ready())).toMatchObject({ code: 'key_store' });
      expect(bridge.of('deleteKey')).toEqual([]);
      await defender.forget();
      expect((await defender.fetch(`${harness.server.origin}/`)).status).toBe(200);
    });

    it('does not claim that an old key was made over a new challenge', async () => {
      const defender = androidOf(aBridge());
      await defender.enrol();
      expect(await failure(defender.enrol())).toMatchObject({ code: 'attester_failed' });
      expect(harness.server.enrolments).toHaveLength(1);
    });

    it.each<[string, Answer, string]>([
      ['refuses', { status: 429, headers: { 'TAB-Error': 'rate_limited', 'Retry-After': '7' } }, 'enrolment_refused'],
      ['is a captive portal', { status: 201, body: '<html>' }, 'unexpected_answer'],
      ['gives no challenge', { status: 201, body: '{"challenge":7}' }, 'unexpected_answer'],
      ['gives null', { status: 201, body: 'null' }, 'unexpected_answer'],
    ])('makes no key when the server %s', async (_, answer, code) => {
      harness.server.onChallenge = () => answer;
      const bridge = aBridge();
      expect(await failure(androidOf(bridge).ready())).toMatchObject({ code });
      expect(bridge.of('generateKey')).toEqual([]);
    });

    it('makes no key when the server cannot be reached', async () => {
      const bridge = aBridge();
      const defender = androidOf(bridge, { fetch: () => Promise.reject(new TypeError('offline')) });
      expect(await failure(defender.ready())).toMatchObject({ code: 'enrolment_failed' });
      expect(bridge.of('generateKey')).toEqual([]);
    });

    it('needs the key challenge of its key store', () => {
      expect(() => bridgeAttester(aBridge(), 'android-key')).toThrow(TypeError);
      expect(() => bridgeAttester(aBridge(), 'approov' as never)).toThrow(TypeError);
      expect(() => new KeyChallenge({ api: [], app: { id: 'a', ver: '1.0.0', platform: 'android' } })).toThrow(
        TypeError,
      );
    });
  });
});

describe('the bridge', () => {
  const folder = new URL('../../../../lib/defender/bridge/', import.meta.url);
  const sources = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));

  it('imports jose, the Defender and the token types, and nothing else', () => {
    const imports = sources.flatMap((text) => [...text.matchAll(/from\s+'([^']+)'/g)].map((match) => match[1]));
    const allowed = /^(jose|\.\/[a-z0-9-]+\.js|\.\.\/[a-z-]+\.js|\.\.\/\.\.\/token\/(mint|claims\.types)\.js)$/;
    expect(imports.filter((name) => !allowed.test(String(name)))).toEqual([]);
  });

  it('names no global of Node', () => {
    const nodeOnly = /\b(process|Buffer|require|__dirname|setImmediate)\s*[.(]/;
    expect(sources.filter((text) => nodeOnly.test(text))).toEqual([]);
  });
});
