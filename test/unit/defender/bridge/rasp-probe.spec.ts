import { describe, expect, it } from 'vitest';
import { isKnownThreat, isThreatName } from '../../../../lib/trust/threats.js';
import {
  raspProbe,
  talsecProbe,
  type TalsecActions,
  type TalsecExecutionActions,
  type TalsecProbeOptions,
} from '../../../../lib/defender/bridge/index.js';
import type { ProbeReport } from '../../../../lib/defender/index.js';

function aSource(supported: string[] = ['rooted', 'usbOn', 'devOn']) {
  const source = {
    supported,
    tell: (_name: unknown): void => undefined,
    finish: (): void => undefined,
    onThreat: (listener: (name: string) => void) => (source.tell = listener as never),
    onChecked: (listener: () => void) => (source.finish = listener),
  };
  return source;
}
const MAPPING = {
  vendor: 'acme',
  threats: { rooted: 'root', usbOn: 'developer-mode', devOn: 'developer-mode', hooked: 'hooking' },
};

describe('raspProbe', () => {
  it('has checked nothing until the library says that it has', async () => {
    const source = aSource();
    const probe = raspProbe(source, MAPPING);
    expect(await probe.run()).toEqual({ found: [], clear: [] });
    source.finish();
    expect(await probe.run()).toEqual({ found: [], clear: ['root', 'developer-mode'] });
  });

  it('finds before the checks are over, and keeps what it found', async () => {
    const source = aSource();
    const probe = raspProbe(source, MAPPING);
    source.tell('rooted');
    expect(await probe.run()).toEqual({ found: ['root'], clear: [] });
    source.finish();
    expect(await probe.run()).toEqual({ found: ['root'], clear: ['developer-mode'] });
  });

  it('never says clear for a threat of which one check is not made', async () => {
    const source = aSource(['rooted', 'devOn']);
    const probe = raspProbe(source, MAPPING);
    source.finish();
    expect(await probe.run()).toEqual({ found: [], clear: ['root'] });
  });

  it('tells of a check that it did not know to be made', async () => {
    const source = aSource();
    const probe = raspProbe(source, MAPPING);
    source.finish();
    source.tell('hooked');
    expect(await probe.run()).toMatchObject({ found: ['hooking'] });
  });

  it('says nothing is clear when the library never says when it is done', async () => {
    const { onThreat, supported } = aSource();
    expect(await raspProbe({ onThreat, supported }, MAPPING).run()).toEqual({ found: [], clear: [] });
  });

  it.each([
    ['newThing', 'x-acme-new-thing'],
    ['thing2Go', 'x-acme-thing2-go'],
    ['toString', 'x-acme-to-string'],
    ['', 'x-acme-unnamed'],
    ['Ünglück', 'x-acme-unnamed'],
    ['a'.repeat(80), 'x-acme-unnamed'],
    [7, 'x-acme-unnamed'],
  ])('tells %j as %s', async (name, told) => {
    const source = aSource();
    const probe = raspProbe(source, MAPPING);
    source.tell(name);
    expect(await probe.run()).toMatchObject({ found: [told] });
    expect(isThreatName(told)).toBe(true);
  });

  it('refuses a mapping that cannot work', () => {
    expect(() => raspProbe(aSource(), { ...MAPPING, vendor: 'Acme Inc' })).toThrow(TypeError);
    expect(() => raspProbe(aSource(), { ...MAPPING, threats: { rooted: 'Root!' } })).toThrow(TypeError);
  });
});

describe('talsecProbe', () => {
  function aTalsec(options: TalsecProbeOptions = { platform: 'android' }) {
    let handed: [TalsecActions, TalsecExecutionActions] | undefined;
    const probe = talsecProbe((...args) => (handed = args), options);
    const [actions, state] = handed ?? expect.fail('not subscribed');
    return { actions, state, run: async () => (await probe.run()) as Required<ProbeReport> };
  }

  it.each([
    ['privilegedAccess', 'root'],
    ['debug', 'debugger'],
    ['simulator', 'emulator'],
    ['appIntegrity', 'tamper'],
    ['unofficialStore', 'untrusted-install'],
    ['hooks', 'hooking'],
    ['deviceBinding', 'device-binding'],
    ['secureHardwareNotAvailable', 'x-talsec-secure-hardware-not-available'],
    ['systemVPN', 'vpn'],
    ['passcode', 'no-passcode'],
    ['obfuscationIssues', 'obfuscation-missing'],
    ['devMode', 'developer-mode'],
    ['adbEnabled', 'developer-mode'],
    ['malware', 'malware'],
    ['screenshot', 'screen-capture'],
    ['screenRecording', 'screen-capture'],
    ['multiInstance', 'cloned-instance'],
    ['timeSpoofing', 'time-spoof'],
    ['locationSpoofing', 'location-spoof'],
    ['unsecureWifi', 'unsafe-network'],
    ['automation', 'automation'],
    ['overlay', 'overlay'],
    ['bootloader', 'x-talsec-bootloader'],
  ] as const)('tells %s as %s', async (callback, threat) => {
    const { actions, run } = aTalsec();
    actions[callback]();
    expect(await run()).toEqual({ found: [threat], clear: [] });
    expect(isKnownThreat(threat) || isThreatName(threat)).toBe(true);
  });

  it('says clear for the checks that every version with allChecksFinished makes, and no others', async () => {
    const android = aTalsec();
    expect((await android.run()).clear).toEqual([]);
    android.state.allChecksFinished();
    expect((await android.run()).clear).toEqual([
      'root',
      'debugger',
      'emulator',
      'tamper',
      'untrusted-install',
      'hooking',
      'device-binding',
      'no-passcode',
      'vpn',
      'x-talsec-secure-hardware-not-available',
      'obfuscation-missing',
      'developer-mode',
      'cloned-instance',
    ]);
    const ios = aTalsec({ platform: 'ios' });
    ios.state.allChecksFinished();
    const { clear } = await ios.run();
    expect(clear).toContain('device-binding');
    for (const absent of ['developer-mode', 'cloned-instance', 'obfuscation-missing', 'malware', 'automation'])
      expect(clear).not.toContain(absent);
  });

  it('says clear for further checks that the build makes', async () => {
    const { state, run } = aTalsec({ platform: 'android', checks: ['automation', 'malware', 'screenshot'] });
    state.allChecksFinished();
    const { clear } = await run();
    expect(clear).toEqual(expect.arrayContaining(['automation', 'malware']));
    // One of its two checks is not made.
    expect(clear).not.toContain('screen-capture');
  });

  it('does not tell what it is to ignore, nor call it clear', async () => {
    const { actions, state, run } = aTalsec({ platform: 'android', ignore: ['screenshot', 'passcode'] });
    actions.screenshot();
    actions.passcode();
    state.allChecksFinished();
    const { found, clear } = await run();
    expect(found).toEqual([]);
    expect(clear).not.toContain('no-passcode');
  });

  it('stays with what it found when the checks are made again', async () => {
    const { actions, state, run } = aTalsec();
    actions.hooks();
    state.allChecksFinished();
    state.allChecksFinished();
    expect((await run()).found).toEqual(['hooking']);
    expect((await run()).clear).not.toContain('hooking');
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])('has checked nothing when subscribing %s', async (_, subscribe) => {
    const probe = talsecProbe(subscribe, { platform: 'ios' });
    expect(await probe.run()).toEqual({ found: [], clear: [] });
  });

  it('refuses another platform', () => {
    expect(() => talsecProbe(() => undefined, { platform: 'windows' as never })).toThrow(TypeError);
  });
});
