import { describe, expect, it } from 'vitest';
import { bridgeProbe } from '../../../../lib/defender/bridge/index.js';
import { aBridge } from './fake-bridge.js';

const measuring = (measured: unknown) => bridgeProbe(aBridge({ measure: async () => measured as never })).run();

describe('bridgeProbe', () => {
  it('passes on what the shell measured', async () => {
    expect(await measuring({ found: ['root'], clear: ['debugger', 'x-acme-thing'] })).toEqual({
      found: ['root'],
      clear: ['debugger', 'x-acme-thing'],
    });
  });

  it.each<[string, unknown, readonly string[]]>([
    ['nothing', undefined, []],
    ['text', 'clear', []],
    ['a list', ['root'], []],
    ['only clear', { clear: ['root'] }, []],
    ['clear in text', { found: [], clear: 'root' }, []],
    ['a name in clear that is no name', { found: [], clear: ['root', 'Hooking!'] }, []],
    ['a threat beside an ill-formed clear', { found: ['root'], clear: null }, ['root']],
    ['a threat without a usable name', { found: ['Wurzel!', 7], clear: ['debugger'] }, ['x-native-unnamed']],
  ])('takes nothing for clear from an answer that is %s', async (_, measured, found) => {
    expect(await measuring(measured)).toEqual({ found, clear: [] });
  });

  it('has checked nothing when the shell fails or has no probes', async () => {
    const failing = aBridge({ measure: () => Promise.reject(new Error('no')) });
    expect(await bridgeProbe(failing).run()).toEqual({ found: [], clear: [] });
    expect(await bridgeProbe(aBridge({ measure: undefined })).run()).toEqual({ found: [], clear: [] });
  });

  it('tells an event even when the shell does not come back from measuring, and keeps it', async () => {
    const bridge = aBridge({ measure: () => new Promise(() => undefined) });
    const probe = bridgeProbe(bridge, { measureTimeout: 1 });
    bridge.listener(['root']);
    expect(await probe.run()).toEqual({ found: ['root'], clear: [] });
    expect(await probe.run()).toEqual({ found: ['root'], clear: [] });
  });

  it('keeps an event that a run measured clear when nobody waited for that run', async () => {
    const bridge = aBridge();
    const probe = bridgeProbe(bridge);
    bridge.listener(['root']);
    await probe.run(AbortSignal.abort());
    expect(await probe.run()).toEqual({ found: ['root'], clear: [] });
    expect(await probe.run()).toEqual({ found: [], clear: ['root'] });
  });

  it('counts what is both found and clear as found', async () => {
    expect(await measuring({ found: ['root'], clear: ['root', 'vpn'] })).toEqual({ found: ['root'], clear: ['vpn'] });
  });

  it('tells a threat of an event once at least, and until it is measured clear', async () => {
    const bridge = aBridge();
    const probe = bridgeProbe(bridge);
    bridge.measured = { found: [], clear: ['root'] };
    bridge.listener(['root', 'overlay']);
    expect(await probe.run()).toEqual({ found: ['root', 'overlay'], clear: [] });
    expect(await probe.run()).toEqual({ found: ['overlay'], clear: ['root'] });
    bridge.measured = { found: [], clear: ['root', 'overlay'] };
    expect(await probe.run()).toMatchObject({ found: ['overlay'] });
    expect(await probe.run()).toEqual({ found: [], clear: ['root', 'overlay'] });
  });

  it('does not let a measurement that had begun before an event clear it', async () => {
    const bridge = aBridge();
    let finish: (answer: unknown) => void = () => undefined;
    bridge.measure = () => new Promise<never>((resolve) => (finish = resolve as never));
    const probe = bridgeProbe(bridge);
    const running = probe.run();
    bridge.listener(['root']);
    finish({ found: [], clear: ['root'] });
    expect(await running).toEqual({ found: ['root'], clear: [] });
    const next = probe.run();
    finish({ found: [], clear: ['root'] });
    expect(await next).toEqual({ found: ['root'], clear: [] });
  });

  it.each([
    ['ill-formed names', ['A b']],
    ['no list', 'root'],
    ['no names', [null]],
  ])('takes an event with %s for a threat', async (_, names) => {
    const bridge = aBridge();
    const probe = bridgeProbe(bridge);
    bridge.listener(names as never);
    const { found } = (await probe.run()) as { found: string[] };
    expect(found).toEqual([names === 'root' ? 'root' : 'x-native-unnamed']);
  });
});
