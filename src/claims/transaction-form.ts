import { isNormalizedProjectName } from '../pypi/project-name.ts';
import { PROJECT_STATUSES, SHA256, UPLOAD_TIME } from '../pypi/project-page.ts';
import { ClaimError } from './errors.ts';
import { parseProjectRoleName } from './names.ts';

/** A staged file that becomes public with a transaction. */
export interface PublishedFile {
  readonly filename: string;
  /** Lower-case hex. */
  readonly sha256: string;
  /** `yyyy-mm-ddThh:mm:ss.ffffffZ`: it stands in the signed page. */
  readonly uploadTime: string;
}

/** A change of what is there already. */
export type ProjectChange =
  | { readonly kind: 'yank'; readonly filename: string; readonly reason: string | null }
  | { readonly kind: 'unyank'; readonly filename: string }
  | { readonly kind: 'remove'; readonly filename: string }
  | { readonly kind: 'status'; readonly status: string; readonly reason: string | null };

/** What a developer sends: signed metadata of the project's roles, and what changes with it. Applied whole or not at all. */
export interface SignedTransaction {
  /** The versions that it was made on top of, by role; empty when the project is claimed first. */
  readonly base: ReadonlyMap<string, number>;
  /** Signed metadata by role. */
  readonly roles: ReadonlyMap<string, Uint8Array>;
  readonly files: readonly PublishedFile[];
  readonly changes: readonly ProjectChange[];
}

/** What one transaction may hold. */
export const MOST_FILES = 1000;
const MOST_CHANGES = 5000;
const LONGEST_FILENAME = 255;
const LONGEST_REASON = 1000;

/** As it is sent: JSON with these members and no others. */
export function transactionJson(transaction: SignedTransaction): Record<string, unknown> {
  return {
    base: Object.fromEntries(transaction.base),
    roles: Object.fromEntries([...transaction.roles].map(([role, bytes]) => [role, base64(bytes)])),
    files: transaction.files,
    changes: transaction.changes,
  };
}

/**
 * Reads a transaction of a project, strictly.
 * @param value what JSON.parse gave
 * @throws {ClaimError} MALFORMED
 */
export function parseTransaction(project: string, value: unknown): SignedTransaction {
  if (!isNormalizedProjectName(project)) fail(`"${project}" is not a normalized project name`);
  const fields = members(value, 'the transaction', ['base', 'changes', 'files', 'roles']);
  const base = new Map<string, number>();
  for (const [role, version] of Object.entries(members(fields['base'], 'base'))) {
    requireOwnRole(project, role);
    if (!Number.isSafeInteger(version) || (version as number) < 1) fail(`base.${role} must be a version`);
    base.set(role, version as number);
  }
  const roles = new Map<string, Uint8Array>();
  for (const [role, text] of Object.entries(members(fields['roles'], 'roles'))) {
    requireOwnRole(project, role);
    roles.set(role, fromBase64(role, text));
  }
  const files = list(fields['files'], 'files', MOST_FILES).map(readFile);
  if (new Set(files.map(({ filename }) => filename)).size !== files.length) fail('files names one twice');
  const changes = list(fields['changes'], 'changes', MOST_CHANGES).map(readChange);
  if (roles.size === 0) fail('roles must hold signed metadata');
  return { base, roles, files, changes };
}

function requireOwnRole(project: string, role: string): void {
  if (parseProjectRoleName(role)?.project === project) return;
  throw new ClaimError('DELEGATION', `${JSON.stringify(role)} is no role of the project ${project}.`, {
    role,
  });
}

function readFile(value: unknown, index: number): PublishedFile {
  const place = `files[${index}]`;
  const fields = members(value, place, ['filename', 'sha256', 'uploadTime']);
  const { filename, sha256, uploadTime } = fields;
  requireFilename(filename, place);
  if (typeof sha256 !== 'string' || !SHA256.test(sha256))
    fail(`${place}.sha256 must be 64 lower-case hexadecimal digits`);
  if (typeof uploadTime !== 'string' || !UPLOAD_TIME.test(uploadTime) || Number.isNaN(Date.parse(uploadTime)))
    fail(`${place}.uploadTime must be a time in UTC with microseconds, such as 2026-01-31T12:00:00.000000Z`);
  return { filename, sha256, uploadTime };
}

function readChange(value: unknown, index: number): ProjectChange {
  const place = `changes[${index}]`;
  const kind = members(value, place)['kind'];
  if (kind === 'yank') {
    const { filename, reason } = members(value, place, ['filename', 'kind', 'reason']);
    requireFilename(filename, place);
    requireReason(reason, place);
    return { kind, filename, reason };
  }
  if (kind === 'unyank' || kind === 'remove') {
    const { filename } = members(value, place, ['filename', 'kind']);
    requireFilename(filename, place);
    return { kind, filename };
  }
  if (kind !== 'status') fail(`${place}.kind must be yank, unyank, remove or status`);
  const { status, reason } = members(value, place, ['kind', 'reason', 'status']);
  if (typeof status !== 'string' || !PROJECT_STATUSES.has(status))
    fail(`${place}.status is no project status (PEP 792)`);
  requireReason(reason, place);
  return { kind: 'status', status, reason };
}

function requireFilename(value: unknown, place: string): asserts value is string {
  if (typeof value !== 'string' || value === '' || value.length > LONGEST_FILENAME)
    fail(`${place}.filename must be a file name`);
}

function requireReason(value: unknown, place: string): asserts value is string | null {
  if (value !== null && (typeof value !== 'string' || value.length > LONGEST_REASON))
    fail(`${place}.reason must be a text of at most ${LONGEST_REASON} characters, or null`);
}

/** The members of a JSON object; with `names`, exactly those. */
function members(
  value: unknown,
  place: string,
  names?: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(`${place} must be an object`);
  const found = Object.keys(value).toSorted();
  if (
    names !== undefined &&
    (found.length !== names.length || found.some((name, index) => name !== names[index]))
  )
    fail(`${place} must hold ${names.join(', ')}, and nothing else`);
  return value as Readonly<Record<string, unknown>>;
}

function list(value: unknown, place: string, most: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > most) fail(`${place} must be a list of at most ${most}`);
  return value;
}

function fromBase64(role: string, text: unknown): Uint8Array {
  if (typeof text !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0)
    fail(`roles.${role} must be base64`);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 0x2000)
    text += String.fromCharCode(...bytes.subarray(start, start + 0x2000));
  return btoa(text);
}

function fail(problem: string): never {
  throw new ClaimError('MALFORMED', `This is no signed transaction: ${problem}.`);
}
