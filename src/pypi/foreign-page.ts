import { FormatError, quote } from './errors.ts';
import { elementsOf, type HtmlElement } from './foreign-html.ts';
import { isValidProjectName, normalizeProjectName } from './project-name.ts';

/** A file as another index lists it. Nothing of it is checked but its form. */
export interface ForeignFile {
  readonly filename: string;
  /** Absolute, without a fragment. */
  readonly url: string;
  /** By algorithm, lower-case hex. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Bytes. */
  readonly size?: number;
  readonly uploadTime?: Date;
  /** With the reason when there is one. */
  readonly yanked?: true | string;
}

/** A page of another index: its bytes, the Content-Type it came with, and the address it was found at in the end. */
export interface ForeignPage {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  readonly url: string;
}

/** A page of another index that cannot be read as PEP 503 or PEP 691 say. */
export class ForeignPageError extends FormatError<'unreadable-page'> {
  override readonly name = 'ForeignPageError';

  constructor(message: string, cause?: unknown) {
    super('unreadable-page', message, cause === undefined ? undefined : { cause });
  }
}

const LONGEST_REASON = 500;

/** The projects of an index (PEP 503, PEP 691), normalized, each once, in ascending order. @throws ForeignPageError */
export function parseForeignList(page: ForeignPage): readonly string[] {
  const names = isJson(page)
    ? items(readJson(page), 'projects').map((project) => text(project, 'name'))
    : linksOf(page).map(({ content }) => content);
  const normalized = new Set(names.filter(isValidProjectName).map(normalizeProjectName));
  return [...normalized].toSorted();
}

/** The files of a project (PEP 503, 592, 691, 700). An entry that names no file is passed by. @throws ForeignPageError */
export function parseForeignProject(page: ForeignPage): readonly ForeignFile[] {
  if (!isJson(page)) {
    const base = baseOf(page);
    return linksOf(page).flatMap((link) => fileOfLink(link, base));
  }
  return items(readJson(page), 'files').flatMap((file) => fileOfJson(file, page.url));
}

function isJson({ contentType }: ForeignPage): boolean {
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (/^application\/(?:vnd\.pypi\.simple\.v1\+json|json)$/.test(type)) return true;
  if (/^(?:text\/html|application\/vnd\.pypi\.simple\.v1\+html|application\/xhtml\+xml)$/.test(type))
    return false;
  throw new ForeignPageError(`The page is of the type ${quote(type)}, neither HTML nor JSON of an index.`);
}

function decoded({ bytes }: ForeignPage): string {
  return new TextDecoder('utf-8').decode(bytes);
}

function readJson(page: ForeignPage): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(decoded(page));
  } catch (cause) {
    throw new ForeignPageError('The page is no JSON.', cause);
  }
  const meta = isRecord(value) ? value['meta'] : undefined;
  const version = isRecord(meta) ? meta['api-version'] : undefined;
  if (!isRecord(value) || typeof version !== 'string' || !version.startsWith('1.'))
    throw new ForeignPageError('The page is JSON, but not of version 1 of the Simple API.');
  return value;
}

function items(page: Readonly<Record<string, unknown>>, key: string): readonly Record<string, unknown>[] {
  const list = page[key];
  if (Array.isArray(list)) return list.filter(isRecord);
  throw new ForeignPageError(`The page has no list of ${key}.`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(item: Readonly<Record<string, unknown>>, key: string): string {
  const value = item[key];
  return typeof value === 'string' ? value : '';
}

function fileOfJson(file: Readonly<Record<string, unknown>>, base: string): ForeignFile[] {
  const url = absolute(text(file, 'url'), base);
  const filename = text(file, 'filename');
  if (url === undefined || filename === '') return [];
  const { size, yanked, hashes } = file;
  const time = Date.parse(text(file, 'upload-time'));
  return [
    {
      filename,
      url: url.href,
      hashes: new Map(
        isRecord(hashes)
          ? Object.entries(hashes).flatMap(([name, hex]) => hashOf(name, typeof hex === 'string' ? hex : ''))
          : [],
      ),
      ...(typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? { size } : {}),
      ...(Number.isNaN(time) ? {} : { uploadTime: new Date(time) }),
      ...yankOf(typeof yanked === 'string' || yanked === true ? yanked : undefined),
    },
  ];
}

function linksOf(page: ForeignPage): readonly HtmlElement[] {
  return elementsOf(decoded(page)).filter(({ name, attributes }) => name === 'a' && attributes.has('href'));
}

function baseOf(page: ForeignPage): string {
  const base = elementsOf(decoded(page))
    .find(({ name }) => name === 'base')
    ?.attributes.get('href');
  return absolute(base ?? '', page.url)?.href ?? page.url;
}

function fileOfLink({ attributes, content }: HtmlElement, base: string): ForeignFile[] {
  const url = absolute(attributes.get('href') ?? '', base);
  if (url === undefined) return [];
  const fragment = url.hash.slice(1);
  url.hash = '';
  const filename = content === '' ? lastPart(url) : content;
  if (filename === '') return [];
  const at = fragment.indexOf('=');
  const yanked = attributes.get('data-yanked');
  return [
    {
      filename,
      url: url.href,
      hashes: new Map(at < 0 ? [] : hashOf(fragment.slice(0, at), fragment.slice(at + 1))),
      ...yankOf(yanked === '' ? true : yanked),
    },
  ];
}

function lastPart(url: URL): string {
  const part = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

function yankOf(yanked: true | string | undefined): Pick<ForeignFile, 'yanked'> {
  if (yanked === undefined || yanked === true) return yanked === undefined ? {} : { yanked };
  // As long and as plain as the reasons given here (registry/yank.ts).
  const reason = yanked
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, LONGEST_REASON);
  return { yanked: reason === '' ? true : reason };
}

function hashOf(name: string, hex: string): [string, string][] {
  return /^[0-9a-fA-F]{16,128}$/.test(hex) ? [[name.toLowerCase(), hex.toLowerCase()]] : [];
}

function absolute(address: string, base: string): URL | undefined {
  if (address === '') return undefined;
  const url = URL.canParse(address, base) ? new URL(address, base) : undefined;
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? url : undefined;
}
