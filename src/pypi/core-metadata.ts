import { FormatError, quote } from './errors.ts';

/** Core metadata that breaks the specification; `field` is the header's name. */
export class InvalidMetadataError extends FormatError<
  'malformed-metadata' | 'missing-field' | 'repeated-field' | 'invalid-field' | 'field-not-in-version'
> {
  readonly field: string | undefined;

  constructor(code: InvalidMetadataError['code'], message: string, field?: string) {
    super(code, message);
    this.field = field;
  }
}

/** Largest METADATA or PKG-INFO, bytes. */
export const MAX_METADATA_LENGTH = 4 * 1024 * 1024;

/** The versions of the core metadata specification, oldest first (2.0 was withdrawn). */
export const METADATA_VERSIONS = ['1.0', '1.1', '1.2', '2.1', '2.2', '2.3', '2.4', '2.5', '2.6'] as const;

export type MetadataVersion = (typeof METADATA_VERSIONS)[number];

interface Field {
  /** The header in METADATA, and in the prose of errors. */
  readonly header: string;
  /** The field of the legacy upload form, and of the JSON form of PEP 566. */
  readonly form: string;
  readonly added: MetadataVersion;
}

/** The fields that stand at most once. `keywords` is text as sent, separated by commas. */
export const SINGLE_FIELDS = {
  metadataVersion: { header: 'Metadata-Version', form: 'metadata_version', added: '1.0' },
  name: { header: 'Name', form: 'name', added: '1.0' },
  version: { header: 'Version', form: 'version', added: '1.0' },
  summary: { header: 'Summary', form: 'summary', added: '1.0' },
  description: { header: 'Description', form: 'description', added: '1.0' },
  descriptionContentType: {
    header: 'Description-Content-Type',
    form: 'description_content_type',
    added: '2.1',
  },
  keywords: { header: 'Keywords', form: 'keywords', added: '1.0' },
  homePage: { header: 'Home-page', form: 'home_page', added: '1.0' },
  downloadUrl: { header: 'Download-URL', form: 'download_url', added: '1.1' },
  author: { header: 'Author', form: 'author', added: '1.0' },
  authorEmail: { header: 'Author-email', form: 'author_email', added: '1.0' },
  maintainer: { header: 'Maintainer', form: 'maintainer', added: '1.2' },
  maintainerEmail: { header: 'Maintainer-email', form: 'maintainer_email', added: '1.2' },
  license: { header: 'License', form: 'license', added: '1.0' },
  licenseExpression: { header: 'License-Expression', form: 'license_expression', added: '2.4' },
  requiresPython: { header: 'Requires-Python', form: 'requires_python', added: '1.2' },
} as const satisfies Record<string, Field>;

/** The fields that may stand several times. `projectUrls` are `label, url`. */
export const LIST_FIELDS = {
  dynamic: { header: 'Dynamic', form: 'dynamic', added: '2.2' },
  platforms: { header: 'Platform', form: 'platform', added: '1.0' },
  supportedPlatforms: { header: 'Supported-Platform', form: 'supported_platform', added: '1.1' },
  licenseFiles: { header: 'License-File', form: 'license_file', added: '2.4' },
  classifiers: { header: 'Classifier', form: 'classifiers', added: '1.1' },
  requiresDist: { header: 'Requires-Dist', form: 'requires_dist', added: '1.2' },
  requiresExternal: { header: 'Requires-External', form: 'requires_external', added: '1.2' },
  projectUrls: { header: 'Project-URL', form: 'project_urls', added: '1.2' },
  providesExtra: { header: 'Provides-Extra', form: 'provides_extra', added: '2.1' },
  providesDist: { header: 'Provides-Dist', form: 'provides_dist', added: '1.2' },
  obsoletesDist: { header: 'Obsoletes-Dist', form: 'obsoletes_dist', added: '1.2' },
  importNames: { header: 'Import-Name', form: 'import_name', added: '2.5' },
  importNamespaces: { header: 'Import-Namespace', form: 'import_namespace', added: '2.5' },
  requires: { header: 'Requires', form: 'requires', added: '1.1' },
  provides: { header: 'Provides', form: 'provides', added: '1.1' },
  obsoletes: { header: 'Obsoletes', form: 'obsoletes', added: '1.1' },
} as const satisfies Record<string, Field>;

export type SingleField = keyof typeof SINGLE_FIELDS;
export type ListField = keyof typeof LIST_FIELDS;
type RequiredField = 'metadataVersion' | 'name' | 'version';

/** Core metadata as it was written, each field once (core metadata specification 1.0 to 2.6). Lists may be empty. */
export type CoreMetadata = {
  readonly [Name in RequiredField]: string;
} & {
  readonly [Name in Exclude<SingleField, RequiredField>]?: string;
} & {
  readonly [Name in ListField]: readonly string[];
};

/** The fields of a METADATA file or an upload form before they are known to be complete. */
export interface MetadataFields {
  readonly single: ReadonlyMap<SingleField, string>;
  readonly lists: ReadonlyMap<ListField, readonly string[]>;
}

/**
 * Makes core metadata of fields: the three required ones must be there.
 *
 * @throws InvalidMetadataError `missing-field`
 */
export function coreMetadataOf(fields: MetadataFields): CoreMetadata {
  const metadata: Record<string, unknown> = {};
  for (const name of REQUIRED_FIELDS) {
    if (!fields.single.has(name)) {
      const { header } = SINGLE_FIELDS[name];
      throw new InvalidMetadataError(
        'missing-field',
        `Invalid metadata: the field ${header} is missing.`,
        header,
      );
    }
  }
  for (const [name, value] of fields.single) metadata[name] = value;
  for (const name of Object.keys(LIST_FIELDS) as ListField[]) metadata[name] = fields.lists.get(name) ?? [];
  return metadata as CoreMetadata;
}

const REQUIRED_FIELDS: readonly RequiredField[] = ['metadataVersion', 'name', 'version'];
const SINGLE_BY_HEADER = byHeader(SINGLE_FIELDS);
const LIST_BY_HEADER = byHeader(LIST_FIELDS);
const HEADER_LINE = /^([!-9;-~]+):(.*)$/s;

/**
 * Reads a METADATA or PKG-INFO file: RFC 822 headers in UTF-8, the description in the `Description` header or in the
 * body. Unknown headers are ignored, a repeated single field is refused, and so is a description in both places.
 * Reads only the form; what the fields say is checked by `validateCoreMetadata`.
 *
 * @throws InvalidMetadataError
 */
export function parseCoreMetadata(bytes: Uint8Array): CoreMetadata {
  const { headers, body } = splitMessage(decode(bytes));
  const single = new Map<SingleField, string>();
  const lists = new Map<ListField, string[]>();
  for (const { name, value } of headers) {
    const key = name.toLowerCase();
    const singleField = SINGLE_BY_HEADER.get(key);
    const listField = LIST_BY_HEADER.get(key);
    if (singleField !== undefined) setOnce(single, singleField, value);
    if (listField !== undefined) appendTo(lists, listField, value);
  }
  const description = single.get('description');
  if (description !== undefined) {
    if (body !== '') throw repeated('Description');
    single.set('description', unfoldDescription(description));
  } else if (body !== '') {
    single.set('description', body);
  }
  return coreMetadataOf({ single, lists });
}

function decode(bytes: Uint8Array): string {
  if (bytes.length > MAX_METADATA_LENGTH) {
    throw new InvalidMetadataError(
      'malformed-metadata',
      `Invalid metadata: it is larger than ${MAX_METADATA_LENGTH} bytes.`,
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new InvalidMetadataError('malformed-metadata', 'Invalid metadata: it is not UTF-8.');
  }
}

interface Header {
  readonly name: string;
  readonly value: string;
}

// One pass over the lines; the end of the headers is the first empty line. Only \n, \r\n and \r end a line, as in
// Python's email parser.
function splitMessage(text: string): { headers: readonly Header[]; body: string } {
  const headers: { name: string; lines: string[] }[] = [];
  const lineEnd = /\r\n|\n|\r/g;
  let start = 0;
  let bodyStart = text.length;
  while (start < text.length) {
    const match = lineEnd.exec(text);
    const line = text.slice(start, match?.index ?? text.length);
    start = match === null ? text.length : lineEnd.lastIndex;
    if (line === '') {
      bodyStart = start;
      break;
    }
    const current = headers.at(-1);
    if (current !== undefined && (line.startsWith(' ') || line.startsWith('\t'))) {
      current.lines.push(line);
      continue;
    }
    const header = HEADER_LINE.exec(line);
    if (header === null) {
      throw new InvalidMetadataError(
        'malformed-metadata',
        `Invalid metadata: ${quote(line)} is not a header.`,
      );
    }
    headers.push({ name: header[1] ?? '', lines: [(header[2] ?? '').replace(/^[ \t]+/, '')] });
  }
  return {
    headers: headers.map(({ name, lines }) => ({ name, value: lines.join('\n') })),
    body: text.slice(bodyStart),
  };
}

// Old tools indent the lines of a description by eight blanks, some mark them by seven blanks and a bar.
function unfoldDescription(value: string): string {
  return value.replace(/\n(?: {7}\| ?| {8}|\t)/g, '\n');
}

function setOnce(single: Map<SingleField, string>, field: SingleField, value: string): void {
  if (single.has(field)) throw repeated(SINGLE_FIELDS[field].header);
  single.set(field, field === 'description' ? value : value.trim());
}

function appendTo(lists: Map<ListField, string[]>, field: ListField, value: string): void {
  const list = lists.get(field);
  if (list === undefined) lists.set(field, [value.trim()]);
  else list.push(value.trim());
}

function repeated(header: string): InvalidMetadataError {
  return new InvalidMetadataError(
    'repeated-field',
    `Invalid metadata: ${header} is given more than once.`,
    header,
  );
}

function byHeader<Name extends string>(fields: Record<Name, Field>): ReadonlyMap<string, Name> {
  const entries = Object.entries<Field>(fields) as [Name, Field][];
  return new Map(entries.map(([name, field]) => [field.header.toLowerCase(), name]));
}
