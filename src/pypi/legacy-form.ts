import {
  coreMetadataOf,
  LIST_FIELDS,
  SINGLE_FIELDS,
  type CoreMetadata,
  type ListField,
  type SingleField,
} from './core-metadata.ts';
import { FormatError, quote } from './errors.ts';

/** A legacy upload form that cannot be taken; `field` is the form's field. */
export class InvalidFormError extends FormatError<
  'unsupported-action' | 'missing-field' | 'repeated-field' | 'invalid-field'
> {
  readonly field: string;

  constructor(code: InvalidFormError['code'], field: string, message: string) {
    super(code, message);
    this.field = field;
  }
}

/** The digests a client names for the file it sends, lower-case hex; at least one is there. */
export interface FormDigests {
  readonly md5?: string;
  readonly sha256?: string;
  readonly blake2b256?: string;
}

/** A `file_upload` form of the legacy upload API, without the file. */
export interface UploadForm {
  readonly filetype: 'bdist_wheel' | 'sdist';
  /** `source` for an sdist, a Python tag such as `py3` for a wheel. */
  readonly pyversion: string;
  readonly digests: FormDigests;
  /** As sent; `validateCoreMetadata` checks what it says. */
  readonly metadata: CoreMetadata;
  readonly comment?: string;
  /** JSON text, a list of attestations (PEP 740). */
  readonly attestations?: string;
}

/** Some clients use these names for the list fields of the form. */
const LIST_ALIASES: ReadonlyMap<ListField, readonly string[]> = new Map<ListField, readonly string[]>([
  ['platforms', ['platforms']],
  ['supportedPlatforms', ['supported_platforms']],
  ['licenseFiles', ['license_files']],
  ['providesExtra', ['provides_extras']],
  ['classifiers', ['classifier']],
  ['projectUrls', ['project_url']],
  ['importNames', ['import_names']],
  ['importNamespaces', ['import_namespaces']],
]);
const DIGESTS = [
  { key: 'md5', field: 'md5_digest', length: 32 },
  { key: 'sha256', field: 'sha256_digest', length: 64 },
  { key: 'blake2b256', field: 'blake2_256_digest', length: 64 },
] as const;
const MOST_VALUES = 10_000;

/**
 * Reads the text fields of the legacy upload form as twine, uv, flit, poetry, pdm and hatch send them, in any order.
 * Empty values and `UNKNOWN` count as absent; fields it does not know are ignored.
 *
 * @throws InvalidFormError, InvalidMetadataError
 */
export function readLegacyForm(fields: ReadonlyMap<string, readonly string[]>): UploadForm {
  checkValues(fields);
  const action = optional(fields, ':action');
  if (action !== undefined && action !== 'file_upload') {
    throw new InvalidFormError(
      'unsupported-action',
      ':action',
      `The action ${quote(action)} is not supported.`,
    );
  }
  const protocol = optional(fields, 'protocol_version') ?? '1';
  if (protocol !== '1') throw invalid('protocol_version', 'Unknown protocol version: only 1 is supported.');
  const filetype = required(fields, 'filetype');
  if (filetype !== 'bdist_wheel' && filetype !== 'sdist') {
    throw invalid(
      'filetype',
      `Invalid filetype ${quote(filetype)}: only 'bdist_wheel' and 'sdist' are accepted.`,
    );
  }
  const comment = optional(fields, 'comment');
  const attestations = optional(fields, 'attestations');
  return {
    filetype,
    pyversion: readPyversion(fields, filetype),
    digests: readDigests(fields),
    metadata: readMetadata(fields),
    ...(comment === undefined ? {} : { comment }),
    ...(attestations === undefined ? {} : { attestations }),
  };
}

function readPyversion(
  fields: ReadonlyMap<string, readonly string[]>,
  filetype: UploadForm['filetype'],
): string {
  const pyversion = optional(fields, 'pyversion');
  if (filetype === 'bdist_wheel') {
    if (pyversion === undefined) throw invalid('pyversion', 'The field pyversion is required for a wheel.');
    return pyversion;
  }
  if (pyversion !== undefined && pyversion !== 'source') {
    throw invalid('pyversion', "The field pyversion must be 'source' for an sdist.");
  }
  return 'source';
}

function readDigests(fields: ReadonlyMap<string, readonly string[]>): FormDigests {
  const digests: { -readonly [Key in keyof FormDigests]: string } = {};
  for (const { key, field, length } of DIGESTS) {
    const digest = optional(fields, field)?.toLowerCase();
    if (digest === undefined) continue;
    if (digest.length !== length || !/^[0-9a-f]+$/.test(digest)) {
      throw invalid(field, `The field ${field} is not a digest of ${length} hexadecimal digits.`);
    }
    digests[key] = digest;
  }
  if (Object.keys(digests).length === 0) {
    throw new InvalidFormError(
      'missing-field',
      'sha256_digest',
      'The form names no digest: one of sha256_digest, blake2_256_digest and md5_digest is required.',
    );
  }
  return digests;
}

function readMetadata(fields: ReadonlyMap<string, readonly string[]>): CoreMetadata {
  const single = new Map<SingleField, string>();
  for (const name of Object.keys(SINGLE_FIELDS) as SingleField[]) {
    const value = optional(fields, SINGLE_FIELDS[name].form);
    if (value !== undefined) single.set(name, value);
  }
  const lists = new Map<ListField, readonly string[]>();
  for (const name of Object.keys(LIST_FIELDS) as ListField[]) {
    const values = [LIST_FIELDS[name].form, ...(LIST_ALIASES.get(name) ?? [])]
      .flatMap((field) => fields.get(field) ?? [])
      .map((value) => value.trim())
      .filter((value) => !isUnknown(value));
    if (values.length > 0) lists.set(name, values);
  }
  return coreMetadataOf({ single, lists });
}

function checkValues(fields: ReadonlyMap<string, readonly string[]>): void {
  let count = 0;
  for (const [field, values] of fields) {
    count += values.length;
    if (count > MOST_VALUES) throw invalid(field, `The form has more than ${MOST_VALUES} values.`);
    if (values.some((value) => value.includes('\0'))) {
      throw invalid(field, `The field ${quote(field)} contains a NUL character.`);
    }
  }
}

function required(fields: ReadonlyMap<string, readonly string[]>, field: string): string {
  const value = optional(fields, field);
  if (value === undefined) {
    throw new InvalidFormError('missing-field', field, `The field ${field} is missing from the form.`);
  }
  return value;
}

function optional(fields: ReadonlyMap<string, readonly string[]>, field: string): string | undefined {
  const values = fields.get(field) ?? [];
  if (values.length > 1) {
    throw new InvalidFormError('repeated-field', field, `The field ${field} is given more than once.`);
  }
  const value = field === SINGLE_FIELDS.description.form ? values[0] : values[0]?.trim();
  return value === undefined || isUnknown(value.trim()) ? undefined : value;
}

function isUnknown(value: string): boolean {
  return value === '' || value === 'UNKNOWN';
}

function invalid(field: string, message: string): InvalidFormError {
  return new InvalidFormError('invalid-field', field, message);
}
