import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { talsecProbe, type TalsecActions, type TalsecExecutionActions } from '../../lib/defender/bridge/index.js';
import type { ProbeReport } from '../../lib/defender/index.js';

interface Vectors {
  readonly constants: {
    readonly tokenHeader: string;
    readonly typ: string;
    readonly enrolTyp: string;
    readonly enrolLabel: string;
    readonly requiredClaims: readonly string[];
    readonly conditionalClaims: readonly string[];
  };
  readonly thumbprints: readonly { jwk: Record<string, string>; thumbprint: string }[];
  readonly enrolmentBinding: readonly (Record<string, string> & { sha256Hex: string })[];
}

const vectors = JSON.parse(readFileSync('test/vectors/protocol-v1.json', 'utf8')) as Vectors;
const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** What is different between the two languages in what they say. */
const SYNTAX = {
  kotlin: {
    /** A JSON template with `$x`. */
    template: /"""(\{"crv".*?\})"""/,
    hole: (name: string) => `$${name}`,
    /** The lines of the binding and what joins them. */
    lines: /listOf\((.*?)\)\.joinToString\("(.*?)"\)/,
    claim: /(?:^ {8}"([a-z]{2,5})" to |claims\["([a-z]+)"\])/gm,
    curveAndHash: ['ECGenParameterSpec("secp256r1")', '"SHA256withECDSA"', 'ByteArray(32 - octets.size) + octets'],
  },
  swift: {
    template: /#"(\{"crv".*?\})"#/,
    hole: (name: string) => `\\#(${name})`,
    lines: /\[(.*?)\]\.joined\(separator: "(.*?)"\)/,
    claim: /(?:^ {8}"([a-z]{2,5})":|claims\["([a-z]+)"\])/gm,
    curveAndHash: ['SecureEnclave.P256.Signing', 'signature(for: data).rawRepresentation', 'derRepresentation'],
  },
} as const;

/** A block of a language that cannot be run here: what it states is taken out of it and tried. */
export class Outline {
  readonly language: keyof typeof SYNTAX;
  readonly code: string;

  constructor(language: keyof typeof SYNTAX, code: string) {
    this.language = language;
    this.code = code;
  }

  checkForm(): void {
    expect(this.code).toMatch(/^\/\/ Outline /);
    expect(unmatched(this.code)).toEqual([]);
    // What the scan leaves out is strings and comments; one that did not end would hide the rest.
    expect(unmatched(`${this.code}(`)).toEqual(['(']);
  }

  checkThumbprints(): void {
    const { template, hole } = SYNTAX[this.language];
    const text = template.exec(this.code)?.[1] ?? expect.fail('no template of a key');
    const keys = vectors.thumbprints.filter(({ jwk }) => jwk.kty === 'EC');
    expect(keys.length).toBeGreaterThan(0);
    for (const { jwk, thumbprint } of keys) {
      const filled = text.replace(hole('x'), String(jwk.x)).replace(hole('y'), String(jwk.y));
      expect(sha256(filled).toString('base64url')).toBe(thumbprint);
    }
  }

  checkEnrolmentBindings(): void {
    const [, list = '', separator = ''] = SYNTAX[this.language].lines.exec(this.code) ?? [];
    const names = list.split(',').map((name) => name.trim());
    for (const vector of vectors.enrolmentBinding) {
      const lines = names.map((name) => /^"(.*)"$/.exec(name)?.[1] ?? vector[name] ?? expect.fail(`no ${name}`));
      const message = lines.join(separator.replace('\\n', '\n'));
      expect(sha256(message).toString('hex')).toBe(vector.sha256Hex);
    }
  }

  checkConstants(): void {
    const { tokenHeader, typ, enrolTyp, enrolLabel, requiredClaims, conditionalClaims } = vectors.constants;
    for (const text of [tokenHeader, typ, enrolTyp, enrolLabel, 'ES256']) expect(this.code).toContain(`"${text}"`);
    const body = this.code.slice(this.code.indexOf('requestToken('), this.code.indexOf('enrolHeader('));
    const found = [...body.matchAll(SYNTAX[this.language].claim)].map(([, one, other]) => one ?? other ?? '');
    const claims = new Set(found);
    expect([...claims].filter((name) => ![...requiredClaims, ...conditionalClaims].includes(name))).toEqual([]);
    expect([...claims]).toEqual(expect.arrayContaining([...requiredClaims, 'nonce', 'sid', 'qsh', 'bh', 'ct', 'ath']));
    for (const member of ['id', 'ver', 'at', 'found', 'clear', 'sdk']) expect(body).toContain(`"${member}"`);
  }

  checkSignatures(): void {
    for (const text of SYNTAX[this.language].curveAndHash) expect(this.code).toContain(text);
  }
}

const CLOSING: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };

/** Brackets without a partner, strings and comments left out. */
function unmatched(code: string): string[] {
  const bare = code
    .replaceAll(/\/\*.*?\*\//gs, '')
    .replaceAll(/"""[^]*?"""|#"[^\n]*?"#/g, '')
    .replaceAll(/"(?:\\.|[^"\\\n])*"/g, '')
    .replaceAll(/'(?:\\.|[^'\\\n])'/g, '')
    .replaceAll(/\/\/.*$/gm, '');
  const open: string[] = [];
  for (const character of bare.replaceAll(/[^()[\]{}]/g, '')) {
    if (open.length > 0 && open.at(-1) === CLOSING[character]) open.pop();
    else open.push(character);
  }
  return open;
}

/** The rows of the table with this head, cells without their backquotes. */
export function rowsOf(page: string, head: string): string[][] {
  const lines = page.slice(page.indexOf(head)).split('\n').slice(2);
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

function talsec(platform: 'android' | 'ios', checks: readonly string[] = []) {
  let handed: [TalsecActions, TalsecExecutionActions] | undefined;
  const probe = talsecProbe((...args) => (handed = args), { platform, checks: checks as never });
  const [actions, state] = handed ?? expect.fail('not subscribed');
  return { actions, state, run: async () => (await probe.run()) as Required<ProbeReport> };
}

/** Ensures that the table has every callback, with the platforms, the threat and the condition that the probe has for it. */
export async function checkTalsecTable(rows: readonly string[][]): Promise<void> {
  const callbacks = rows.map(([callback = '']) => callback);
  expect([...callbacks].sort()).toEqual(Object.keys(talsec('android').actions).sort());
  for (const platform of ['android', 'ios'] as const) {
    const here = rows.filter(([, platforms]) => platforms === 'both' || platforms === platform);
    const threatsOf = (list: readonly string[][]) => [...new Set(list.map(([, , threat = '']) => threat))].sort();
    for (const [callback = '', , threat = ''] of here) {
      const { actions, run } = talsec(platform);
      actions[callback as keyof TalsecActions]();
      expect(await run(), callback).toEqual({ found: [threat], clear: [] });
    }
    const always = talsec(platform);
    always.state.allChecksFinished();
    expect([...(await always.run()).clear].sort()).toEqual(threatsOf(here.filter(([, , , made]) => made === 'always')));
    const named = talsec(platform, callbacks);
    named.state.allChecksFinished();
    expect([...(await named.run()).clear].sort()).toEqual(threatsOf(here));
  }
}
