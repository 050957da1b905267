/** The element of the page with this id. @throws TypeError when the page has none of this kind */
export function byId<T extends Element>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new TypeError(`The page has no ${kind.name} #${id}`);
}

/** A new element. Strings become text, never markup: some of them come from elsewhere. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Text for those who listen to the page. */
export function spoken(text: string): HTMLElement {
  return element('span', { class: 'sr-only' }, text);
}

const SVG = 'http://www.w3.org/2000/svg';

/** A new element of a drawing. */
export function shape(tag: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

const MONEY = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' });

/** Cents as people read them. */
export function money(cents: number): string {
  return MONEY.format(cents / 100);
}
