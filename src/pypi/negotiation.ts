/** How a simple page is answered: PEP 691 JSON, PEP 691 HTML, or the same HTML as plain `text/html`. */
export type PageFormat = 'json' | 'html' | 'text-html';

/** The `Content-Type` of each format. */
export const PAGE_CONTENT_TYPES: Readonly<Record<PageFormat, string>> = {
  json: 'application/vnd.pypi.simple.v1+json',
  html: 'application/vnd.pypi.simple.v1+html',
  'text-html': 'text/html; charset=utf-8',
};

/** The media types that mean a format. `latest` is the newest version we speak, which is 1 (PEP 691). */
const FORMATS: ReadonlyMap<string, PageFormat> = new Map([
  ['application/vnd.pypi.simple.v1+json', 'json'],
  ['application/vnd.pypi.simple.latest+json', 'json'],
  ['application/vnd.pypi.simple.v1+html', 'html'],
  ['application/vnd.pypi.simple.latest+html', 'html'],
  ['text/html', 'text-html'],
]);
/** Ranges with a wildcard, and the formats they accept, the one to prefer first. */
const WILDCARDS: ReadonlyMap<string, readonly PageFormat[]> = new Map([
  ['*/*', ['text-html', 'json', 'html']],
  ['application/*', ['json', 'html']],
  ['text/*', ['text-html']],
]);
const PREFERENCE: readonly PageFormat[] = ['json', 'html', 'text-html'];
const LONGEST_ACCEPT = 4096;
const MOST_RANGES = 64;

interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

/**
 * The format to answer a simple page in (PEP 691, RFC 9110 section 12.5.1); `undefined` means 406.
 *
 * `format`, the value of the query parameter of that name, overrides `accept`. Without either the answer is
 * `text/html`, as it was before PEP 691. What is said of a type holds before what is said of `text/*`, and that before what is said of
 * all; a named type wins over a wildcard of the same quality.
 */
export function negotiate(accept: string | undefined, format?: string): PageFormat | undefined {
  if (format !== undefined) return FORMATS.get(format.trim().toLowerCase());
  if (accept === undefined || accept.trim() === '') return 'text-html';
  const ranges = parseAccept(accept);
  const named = new Map<PageFormat, number>();
  for (const { type, quality } of ranges) {
    const pageFormat = FORMATS.get(type);
    if (pageFormat !== undefined) named.set(pageFormat, Math.max(quality, named.get(pageFormat) ?? 0));
  }
  let best: PageFormat | undefined;
  let bestQuality = 0;
  for (const pageFormat of PREFERENCE) {
    const quality = named.get(pageFormat) ?? 0;
    if (quality > bestQuality) [best, bestQuality] = [pageFormat, quality];
  }
  for (const { type, quality } of ranges) {
    const accepted = WILDCARDS.get(type)?.find(
      (candidate) => !named.has(candidate) && (type !== '*/*' || !isInNarrower(candidate, ranges)),
    );
    if (accepted !== undefined && quality > bestQuality) [best, bestQuality] = [accepted, quality];
  }
  return best;
}

function isInNarrower(candidate: PageFormat, ranges: readonly MediaRange[]): boolean {
  return ranges.some(({ type }) => type !== '*/*' && WILDCARDS.get(type)?.includes(candidate) === true);
}

function parseAccept(accept: string): MediaRange[] {
  const ranges: MediaRange[] = [];
  for (const item of accept.slice(0, LONGEST_ACCEPT).split(',', MOST_RANGES)) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    ranges.push({ type, quality: weight === undefined ? 1 : parseQuality(weight.slice(2)) });
  }
  return ranges;
}

function parseQuality(text: string): number {
  return /^(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : 0;
}
