import { withVerdict, type Finding } from './finding.js';

const MARKS = { ok: '✓ ', refused: '✗ ', unchecked: '? ' } as const;

/** Control characters, and those that turn the direction of text: what is inspected must not write on the terminal. */
// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, escaped);
}

function lineOf({ label, value, verdict }: Finding): string {
  const mark = verdict === undefined ? '' : MARKS[verdict];
  const said = value === undefined ? '' : `: ${value}`;
  return printable(`${mark}${label}${said}`);
}

function treeOf(children: readonly Finding[], indent: string): string {
  return children
    .map((child, index) => {
      const last = index === children.length - 1;
      const below = treeOf(child.children ?? [], `${indent}${last ? '   ' : '│  '}`);
      return `${indent}${last ? '└─ ' : '├─ '}${lineOf(child)}\n${below}`;
    })
    .join('');
}

/** The conclusion in one line. */
export function conclusionOf(finding: Finding): string {
  const refusals = withVerdict(finding, 'refused');
  const open = withVerdict(finding, 'unchecked').length;
  if (refusals.length > 0) return `would be refused: ${refusals.map(({ label }) => label).join(', ')}`;
  if (open > 0) return `nothing speaks against it, but ${open} checks could not be made here`;
  return 'would pass';
}

/** As a tree for people: ✓ passed, ✗ would refuse, ? not checked. */
export function renderTree(finding: Finding): string {
  const { children = [] } = finding;
  return `${lineOf(finding)}\n${treeOf(children, '')}\n${printable(conclusionOf(finding))}\n`;
}

/** As JSON for programs. */
export function renderJson(finding: Finding): string {
  const names = (verdict: 'refused' | 'unchecked') => withVerdict(finding, verdict).map(({ label }) => label);
  const refused = names('refused');
  const summary = { kind: finding.label, pass: refused.length === 0, refused, unchecked: names('unchecked') };
  const text = JSON.stringify({ ...summary, findings: finding.children ?? [] }, null, 2);
  // What JSON leaves as it is would steer a terminal all the same; the line feeds between its members are its own.
  return `${text.split('\n').map(printable).join('\n')}\n`;
}
