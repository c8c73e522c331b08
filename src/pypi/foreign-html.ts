/** An element of a page with its attributes and the text behind it, entities resolved. */
export interface HtmlElement {
  /** Lower-case. */
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly content: string;
}

const NAMED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
]);
const SPACE = /\s/;

/**
 * The `a` and `base` elements of an HTML page: as much of HTML as the pages of indexes use, in one pass over the text. Comments are passed
 * over; what is no element is text.
 */
export function elementsOf(html: string): readonly HtmlElement[] {
  const elements: HtmlElement[] = [];
  let at = 0;
  for (;;) {
    const open = html.indexOf('<', at);
    if (open < 0) return elements;
    if (html.startsWith('<!--', open)) {
      const end = html.indexOf('-->', open + 4);
      if (end < 0) return elements;
      at = end + 3;
      continue;
    }
    const name = wordAt(html, open + 1).toLowerCase();
    const tag = readAttributes(html, open + 1 + name.length);
    at = tag.end;
    if (name !== 'a' && name !== 'base') continue;
    const next = html.indexOf('<', at);
    const content = name === 'a' ? html.slice(at, next < 0 ? html.length : next) : '';
    elements.push({ name, attributes: tag.attributes, content: resolved(content).trim() });
  }
}

function wordAt(html: string, start: number): string {
  let end = start;
  while (end < html.length && /[A-Za-z0-9]/.test(html.charAt(end))) end += 1;
  return html.slice(start, end);
}

/** The attributes up to the end of the tag; the first of two of the same name counts, as in browsers. */
function readAttributes(
  html: string,
  start: number,
): { readonly attributes: ReadonlyMap<string, string>; readonly end: number } {
  const attributes = new Map<string, string>();
  let at = start;
  while (at < html.length && html.charAt(at) !== '>') {
    if (SPACE.test(html.charAt(at)) || html.charAt(at) === '/') {
      at += 1;
      continue;
    }
    const nameEnd = endOf(html, at, '=>/');
    const name = html.slice(at, Math.max(nameEnd, at + 1)).toLowerCase();
    at = skipSpace(html, Math.max(nameEnd, at + 1));
    let value = '';
    if (html.charAt(at) === '=') [value, at] = readValue(html, skipSpace(html, at + 1));
    if (!attributes.has(name)) attributes.set(name, resolved(value));
  }
  return { attributes, end: Math.min(at + 1, html.length) };
}

function readValue(html: string, at: number): [value: string, end: number] {
  const quote = html.charAt(at);
  if (quote !== '"' && quote !== "'") {
    const end = endOf(html, at, '>');
    return [html.slice(at, end), end];
  }
  const end = html.indexOf(quote, at + 1);
  return end < 0 ? [html.slice(at + 1), html.length] : [html.slice(at + 1, end), end + 1];
}

function endOf(html: string, start: number, marks: string): number {
  let at = start;
  while (at < html.length && !SPACE.test(html.charAt(at)) && !marks.includes(html.charAt(at))) at += 1;
  return at;
}

function skipSpace(html: string, start: number): number {
  let at = start;
  while (at < html.length && SPACE.test(html.charAt(at))) at += 1;
  return at;
}

function resolved(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,4}));/g,
    (whole, decimal, hex, name) => {
      if (typeof name === 'string') return NAMED.get(name) ?? whole;
      const point = typeof decimal === 'string' ? Number(decimal) : Number.parseInt(String(hex), 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    },
  );
}
