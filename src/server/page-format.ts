import { negotiate, PAGE_CONTENT_TYPES, type PageFormat } from '../pypi/simple.ts';

const MOST_REMEMBERED = 256;
const LONGEST_REMEMBERED = 512;

/** Negotiation with a memory: installers send the same few Accept headers millions of times. */
export class PageFormats {
  readonly #known = new Map<string, PageFormat | undefined>();

  /** The format for an Accept header; undefined means 406. */
  of(accept: string | undefined): PageFormat | undefined {
    if (accept === undefined) return negotiate(undefined);
    const known = this.#known.get(accept);
    if (known !== undefined || this.#known.has(accept)) return known;
    const format = negotiate(accept);
    if (accept.length <= LONGEST_REMEMBERED) {
      if (this.#known.size >= MOST_REMEMBERED) this.#known.clear();
      this.#known.set(accept, format);
    }
    return format;
  }
}

/** The format that the query asks for by `?format=`, which overrides Accept (PEP 691); 'none' when it does not ask. */
export function formatOfQuery(query: string): PageFormat | 'none' | undefined {
  if (query === '') return 'none';
  const wanted = new URLSearchParams(query).get('format');
  // In a query `+` means a blank, but nobody writes a media type with %2B.
  return wanted === null ? 'none' : negotiate(undefined, wanted.replaceAll(' ', '+'));
}

/** The same question again, for a redirect: `?format=…` when the query asks for a format there is, otherwise nothing. */
export function formatQuery(query: string): string {
  const format = formatOfQuery(query);
  if (format === undefined || format === 'none') return '';
  return `?format=${encodeURIComponent(PAGE_CONTENT_TYPES[format].split(';', 1)[0] ?? '')}`;
}
