import {
  InvalidMetadataError,
  LIST_FIELDS,
  METADATA_VERSIONS,
  SINGLE_FIELDS,
  type CoreMetadata,
  type ListField,
  type MetadataVersion,
  type SingleField,
} from './core-metadata.ts';
import { FormatError, quote } from './errors.ts';
import { isLicenseExpression } from './license-expression.ts';
import { isValidProjectName, normalizeProjectName } from './project-name.ts';
import { parseRequirement, requirementKey } from './requirement.ts';
import { parseSpecifier, specifierKey } from './specifier.ts';
import { canonicalVersion, parseVersion } from './version.ts';

/** What a public and a private index judge differently. */
export interface MetadataPolicy {
  /** Versions such as `1.0+internal.3`. */
  readonly localVersions: boolean;
  /** Dependencies such as `pip @ https://...`, which installers fetch past the index. */
  readonly directReferences: boolean;
  /** Metadata 2.0, withdrawn, but what wheels of the years until 2018 carry. */
  readonly withdrawnVersion: boolean;
  /** Fields that no installer reads may be malformed: URLs, licence, summary, what is newer than the metadata's version. */
  readonly malformedTexts?: boolean;
}

/** The choice of a private index, and the default. */
export const PRIVATE_METADATA_POLICY: MetadataPolicy = {
  localVersions: true,
  directReferences: true,
  withdrawnVersion: true,
};

/** The choice of PyPI. */
export const PUBLIC_METADATA_POLICY: MetadataPolicy = {
  localVersions: false,
  directReferences: false,
  withdrawnVersion: false,
};

const MAX_SUMMARY_LENGTH = 512;
const MAX_LINE_LENGTH = 32_768;
const MAX_LABEL_LENGTH = 32;
const MULTI_LINE: ReadonlySet<SingleField> = new Set([
  'description',
  'license',
  'keywords',
  'author',
  'maintainer',
]);
const CONTENT_TYPES: ReadonlySet<string> = new Set(['text/plain', 'text/x-rst', 'text/markdown']);
const DYNAMIC_FIELDS: ReadonlySet<string> = new Set(
  [...Object.values(SINGLE_FIELDS), ...Object.values(LIST_FIELDS)]
    .map(({ header }) => header.toLowerCase())
    .filter((header) => header !== 'name' && header !== 'version' && header !== 'metadata-version'),
);
// setuptools wrote License-File and Dynamic into metadata 2.1 for years, and Provides-Extra is older than its version.
const EARLY_FIELDS: ReadonlySet<string> = new Set([
  'licenseFiles',
  'dynamic',
  'providesExtra',
  'descriptionContentType',
]);
const IDENTIFIER = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;
const PYTHON_KEYWORDS: ReadonlySet<string> = new Set(
  (
    'False None True and as assert async await break class continue def del elif else except finally for from global ' +
    'if import in is lambda nonlocal not or pass raise return try while with yield'
  ).split(' '),
);

/**
 * Checks what core metadata says (core metadata specification 1.0 to 2.6, PEP 639, 643, 685, 794, 808): versions of
 * the fields, names, versions, specifiers, requirements, URLs, paths, lengths, control characters.
 *
 * @throws InvalidMetadataError whose sentence names the field
 */
export function validateCoreMetadata(
  metadata: CoreMetadata,
  policy: MetadataPolicy = PRIVATE_METADATA_POLICY,
): void {
  checkMetadataVersion(metadata, policy);
  checkText(metadata);
  checkNameAndVersion(metadata, policy);
  checkDependencies(metadata, policy);
  if (policy.malformedTexts === true) checkUrls(metadata, refuseScript);
  else checkInformation(metadata);
}

/** What people read, and programs that are no installers. */
function checkInformation(metadata: CoreMetadata): void {
  checkFieldVersions(metadata);
  if ((metadata.summary?.length ?? 0) > MAX_SUMMARY_LENGTH) {
    throw invalid('Summary', `it is longer than ${MAX_SUMMARY_LENGTH} characters`);
  }
  checkDescription(metadata);
  checkLabels(metadata);
  checkUrls(metadata, checkUrl);
  checkLicense(metadata);
  for (const field of metadata.dynamic) {
    if (!DYNAMIC_FIELDS.has(field.toLowerCase()))
      throw invalid('Dynamic', `${quote(field)} cannot be dynamic`);
  }
  for (const name of metadata.importNames) checkImportName('Import-Name', name);
  for (const name of metadata.importNamespaces) checkImportName('Import-Namespace', name);
}

/**
 * How an upload form contradicts the metadata in the file it came with, as a sentence; `undefined` when it does not. A
 * field the form leaves out is no contradiction: the file's metadata is what is served. Nor is another version of the metadata
 * format: flit says 2.3 whatever it wrote into the file. Both must be valid.
 */
export function metadataDifference(form: CoreMetadata, file: CoreMetadata): string | undefined {
  const differing = differingField(form, file);
  return differing === undefined
    ? undefined
    : `The field ${differing} of the form is not what the metadata in the file says.`;
}

function differingField(form: CoreMetadata, file: CoreMetadata): string | undefined {
  if (normalizeProjectName(form.name) !== normalizeProjectName(file.name)) return 'Name';
  if (canonicalVersion(form.version) !== canonicalVersion(file.version)) return 'Version';
  if (form.requiresPython !== undefined) {
    if (specifierKey(form.requiresPython) !== specifierKey(file.requiresPython ?? ''))
      return 'Requires-Python';
  }
  if (!sameWhereSent(form.requiresDist, file.requiresDist, requirementKey)) return 'Requires-Dist';
  if (!sameWhereSent(form.providesExtra, file.providesExtra, normalizeProjectName)) return 'Provides-Extra';
  return undefined;
}

function sameWhereSent(
  form: readonly string[],
  file: readonly string[],
  key: (text: string) => string,
): boolean {
  if (form.length === 0) return true;
  const formKeys = new Set(form.map(key));
  const fileKeys = new Set(file.map(key));
  return formKeys.size === fileKeys.size && [...formKeys].every((item) => fileKeys.has(item));
}

function checkMetadataVersion(metadata: CoreMetadata, policy: MetadataPolicy): void {
  const { metadataVersion: version } = metadata;
  if (ageOf(version) >= 0 && (version !== '2.0' || policy.withdrawnVersion)) return;
  const known = METADATA_VERSIONS.join(', ');
  throw invalid('Metadata-Version', `${quote(version)} is not one of ${known}`);
}

/** The place of a version among all; the withdrawn 2.0 had the fields of 2.1. */
function ageOf(version: string): number {
  return METADATA_VERSIONS.indexOf((version === '2.0' ? '2.1' : version) as MetadataVersion);
}

function checkFieldVersions(metadata: CoreMetadata): void {
  const age = ageOf(metadata.metadataVersion);
  const fields = [...Object.entries(SINGLE_FIELDS), ...Object.entries(LIST_FIELDS)] as [
    SingleField | ListField,
    { header: string; added: MetadataVersion },
  ][];
  for (const [name, { header, added }] of fields) {
    const value = metadata[name];
    const isGiven = typeof value === 'string' || (value?.length ?? 0) > 0;
    if (isGiven && METADATA_VERSIONS.indexOf(added) > age && !EARLY_FIELDS.has(name)) {
      throw new InvalidMetadataError(
        'field-not-in-version',
        `Invalid metadata: ${header} is new in version ${added}, but the metadata is of version ${metadata.metadataVersion}.`,
        header,
      );
    }
  }
}

function checkText(metadata: CoreMetadata): void {
  for (const name of Object.keys(SINGLE_FIELDS) as SingleField[]) {
    const value = metadata[name];
    const { header } = SINGLE_FIELDS[name];
    if (value === undefined) continue;
    const isMultiLine = MULTI_LINE.has(name);
    if (hasControlCharacter(value, isMultiLine))
      throw invalid(header, 'it contains a control character or line break');
    if (!isMultiLine && value.length > MAX_LINE_LENGTH) throw invalid(header, 'it is too long');
  }
  for (const name of Object.keys(LIST_FIELDS) as ListField[]) {
    const { header } = LIST_FIELDS[name];
    for (const value of metadata[name]) {
      if (hasControlCharacter(value, false))
        throw invalid(header, 'it contains a control character or line break');
      if (value.length > MAX_LINE_LENGTH) throw invalid(header, 'it is too long');
    }
  }
}

function hasControlCharacter(text: string, linesAllowed: boolean): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return (linesAllowed ? /[\u0000-\u0008\u000e-\u001a\u007f]/ : /[\u0000-\u0008\u000a-\u001f\u007f]/).test(
    text,
  );
}

function checkNameAndVersion(metadata: CoreMetadata, policy: MetadataPolicy): void {
  if (!isValidProjectName(metadata.name))
    throw invalid('Name', `${quote(metadata.name)} is not a project name`);
  const version = parsed('Version', () => parseVersion(metadata.version));
  if (version.local !== undefined && !policy.localVersions) {
    throw invalid('Version', `${quote(metadata.version)} has a local part, which this index does not take`);
  }
}

function checkDependencies(metadata: CoreMetadata, policy: MetadataPolicy): void {
  const { requiresPython } = metadata;
  if (requiresPython !== undefined) parsed('Requires-Python', () => parseSpecifier(requiresPython));
  for (const text of metadata.requiresDist) {
    const requirement = parsed('Requires-Dist', () => parseRequirement(text));
    if (requirement.url !== undefined && !policy.directReferences) {
      throw invalid('Requires-Dist', `${quote(text)} is a direct reference, which this index does not take`);
    }
  }
  for (const extra of metadata.providesExtra) {
    if (!isValidProjectName(extra)) throw invalid('Provides-Extra', `${quote(extra)} is not a name`);
  }
}

function checkDescription(metadata: CoreMetadata): void {
  const value = metadata.descriptionContentType;
  if (value === undefined || value === 'UNKNOWN') return;
  const [type = '', ...rest] = value.split(';').map((part) => part.trim());
  const parameters = new Map(rest.map((part) => splitOnce(part, '=')));
  const contentType = type.toLowerCase();
  const variant = unquote(parameters.get('variant') ?? 'GFM').toLowerCase();
  const isKnown =
    CONTENT_TYPES.has(contentType) &&
    unquote(parameters.get('charset') ?? 'utf-8').toLowerCase() === 'utf-8' &&
    (contentType !== 'text/markdown' || variant === 'gfm' || variant === 'commonmark');
  if (!isKnown) throw invalid('Description-Content-Type', `${quote(value)} is not supported`);
}

function splitOnce(text: string, separator: string): [string, string] {
  const index = text.indexOf(separator);
  return index < 0
    ? [text.toLowerCase(), '']
    : [text.slice(0, index).trim().toLowerCase(), text.slice(index + 1).trim()];
}

function unquote(text: string): string {
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

function checkUrls(metadata: CoreMetadata, check: (header: string, url: string) => void): void {
  if (metadata.homePage !== undefined) check('Home-page', metadata.homePage);
  if (metadata.downloadUrl !== undefined) check('Download-URL', metadata.downloadUrl);
  for (const entry of metadata.projectUrls) check('Project-URL', entry.slice(entry.indexOf(',') + 1).trim());
}

function checkLabels({ projectUrls }: CoreMetadata): void {
  for (const entry of projectUrls) {
    const comma = entry.indexOf(',');
    const label = entry.slice(0, Math.max(comma, 0)).trim();
    if (comma < 0)
      throw invalid('Project-URL', `${quote(entry)} is not a label and a URL separated by a comma`);
    if (label === '' || label.length > MAX_LABEL_LENGTH) {
      throw invalid('Project-URL', `the label ${quote(label)} has not 1 to ${MAX_LABEL_LENGTH} characters`);
    }
  }
}

// Pages link to these: nothing but the web's schemes, or somebody clicks on javascript:.
function checkUrl(header: string, url: string): void {
  if (url === '' || url === 'UNKNOWN') return;
  const isWebUrl = /^https?:\/\/[^/?#\s]/i.test(url) && URL.canParse(url);
  if (!isWebUrl) throw invalid(header, `${quote(url)} is not an http or https URL`);
}

/** What only looks wrong hurts nobody; what runs in a browser does. */
function refuseScript(header: string, url: string): void {
  if (/^\s*(?:javascript|vbscript|data):/i.test(url)) throw invalid(header, `${quote(url)} is a script`);
}

function checkLicense(metadata: CoreMetadata): void {
  const { licenseExpression, license } = metadata;
  if (licenseExpression !== undefined) {
    if (!isLicenseExpression(licenseExpression)) {
      throw invalid('License-Expression', `${quote(licenseExpression)} is not an SPDX license expression`);
    }
    if (license !== undefined && license !== '') {
      throw invalid('License', 'License and License-Expression exclude each other');
    }
  }
  for (const path of metadata.licenseFiles) {
    const isInside = !/^[/\\]|^[A-Za-z]:|[\\*]/.test(path) && !path.split('/').includes('..');
    if (!isInside) throw invalid('License-File', `${quote(path)} is not a relative path`);
  }
}

function checkImportName(header: string, value: string): void {
  // One empty Import-Name says that the distribution has none (PEP 794).
  if (value === '' && header === 'Import-Name') return;
  const [name, visibility] = splitVisibility(value);
  const isName = name.split('.').every((part) => IDENTIFIER.test(part) && !PYTHON_KEYWORDS.has(part));
  if (!isName || (visibility !== undefined && visibility !== 'private')) {
    throw invalid(header, `${quote(value)} is not an import name`);
  }
}

function splitVisibility(value: string): [string, string | undefined] {
  const semicolon = value.indexOf(';');
  return semicolon < 0
    ? [value, undefined]
    : [value.slice(0, semicolon).trimEnd(), value.slice(semicolon + 1).trim()];
}

function parsed<Value>(header: string, parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw invalid(header, error.message.replace(/\.$/, ''));
  }
}

function invalid(header: string, reason: string): InvalidMetadataError {
  return new InvalidMetadataError('invalid-field', `Invalid metadata in ${header}: ${reason}.`, header);
}
