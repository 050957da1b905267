import { describe, expect, it } from 'vitest';
import { parseApis } from '../../../../lib/defender/api.js';
import { defenderWorker, type PageReport } from '../../../../lib/defender/web/index.js';
import { isTaken } from '../../../../lib/defender/web/worker/defender-worker.js';
import { readReport } from '../../../../lib/defender/web/worker/page-report.js';

describe('requests that a worker takes over', () => {
  const routes = {
    apis: parseApis(['https://app.example/v1', 'https://app.example']),
    paths: ['/api'],
    prefix: '/tab',
  };
  const request = (url: string, over: object = {}) =>
    ({ url, mode: 'cors', destination: '', headers: new Headers(), ...over }) as unknown as Request;

  it.each<[string, boolean]>([
    ['https://app.example/api', true],
    ['https://app.example/api/x?y', true],
    ['https://app.example/v1/api/x', true],
    ['https://app.example/apis', false],
    ['https://app.example/other', false],
    ['https://app.example/', false],
    ['https://other.example/api', false],
    ['https://app.example:444/api', false],
    ['http://app.example/api', false],
    ['https://app.example/v1/tab/challenge', false],
  ])('%s: %s', (url, taken) => {
    expect(isTaken(request(url), routes)).toBe(taken);
  });

  it.each<[string, object]>([
    ['a navigation', { mode: 'navigate', destination: 'document' }],
    ['a navigation without a destination', { mode: 'navigate' }],
    ['an image', { mode: 'no-cors', destination: 'image' }],
    ['a frame', { destination: 'iframe' }],
    ['a request with a token', { headers: new Headers({ 'TAB-Token': 'x' }) }],
  ])('not %s', (_, over) => {
    expect(isTaken(request('https://app.example/api', over), routes)).toBe(false);
  });

  it('never the endpoints of the protocol itself', () => {
    expect(isTaken(request('https://app.example/tab/challenge'), { ...routes, paths: [''] })).toBe(false);
    expect(isTaken(request('https://app.example/anything'), { ...routes, paths: [''] })).toBe(true);
  });

  it.each([[[]], [['api']], [['/api?x']], [undefined]])('paths %j cannot be meant', (paths) => {
    const app = { id: 'com.example.web', ver: '1.0.0', platform: 'web' };
    expect(() => defenderWorker({ api: 'https://app.example', app, paths: paths as never })).toThrow(TypeError);
  });
});

describe('the report of a page', () => {
  const NOW = 1_700_000_000;
  const report = (over: Partial<Record<keyof PageReport, unknown>> = {}) => ({
    found: ['hooking'],
    clear: ['automation'],
    at: NOW,
    ...over,
  });

  it('counts when it is of just now', () => {
    const told = { found: ['hooking'], clear: ['automation'] };
    for (const at of [NOW, NOW - 5, NOW + 5]) expect(readReport(report({ at }), NOW)).toEqual(told);
  });

  it.each<[string, unknown]>([
    ['none', undefined],
    ['null', null],
    ['a text', 'clear'],
    ['an old one', report({ at: NOW - 6 })],
    ['one from the future', report({ at: NOW + 6 })],
    ['one without a time', report({ at: undefined })],
    ['one whose time is no number', report({ at: Number.NaN })],
    ['one without findings', report({ found: undefined })],
    ['one whose findings are no list', report({ found: 'hooking' })],
    ['one with a name that cannot travel', report({ clear: ['Automation'] })],
    ['one with too many names', report({ clear: Array.from({ length: 65 }, (_, i) => `x-a-${i}`) })],
  ])('%s says nothing', (_, value) => {
    expect(readReport(value, NOW)).toEqual({});
  });
});
