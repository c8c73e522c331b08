import type { PageFile, ProjectPage, ProjectStatus } from '../pypi/simple.ts';
import { ClaimError } from './errors.ts';
import type { ProjectChange } from './transaction-form.ts';

/**
 * The page of a project after new files and changes: what a developer signs, and what the index makes of its rows.
 * @throws {ClaimError} FILES for a file that is there already, or one that is not there
 */
export function nextPage(
  page: ProjectPage,
  files: readonly PageFile[],
  changes: readonly ProjectChange[],
): ProjectPage {
  const listed = new Map(page.files.map((file) => [file.filename, file]));
  for (const file of files) {
    const before = listed.get(file.filename);
    if (before !== undefined) {
      const same =
        before.sha256 === file.sha256
          ? 'is published already'
          : 'is published with another content, which never changes';
      throw new ClaimError('FILES', `${file.filename} ${same}.`, { path: file.filename });
    }
    listed.set(file.filename, file);
  }
  let next: ProjectPage = { ...page, files: [] };
  for (const change of changes) {
    if (change.kind === 'status') next = withStatus(next, change.status as ProjectStatus, change.reason);
    else if (change.kind === 'remove') {
      requireListed(listed, change.filename);
      listed.delete(change.filename);
    } else {
      const { yanked: _, ...file } = requireListed(listed, change.filename);
      listed.set(change.filename, change.kind === 'yank' ? { ...file, yanked: change.reason ?? true } : file);
    }
  }
  return { ...next, files: [...listed.values()] };
}

function requireListed(listed: ReadonlyMap<string, PageFile>, filename: string): PageFile {
  const file = listed.get(filename);
  if (file === undefined)
    throw new ClaimError('FILES', `The project has no file ${filename}.`, { path: filename });
  return file;
}

function withStatus(page: ProjectPage, status: ProjectStatus, reason: string | null): ProjectPage {
  const { status: _, statusReason: __, ...rest } = page;
  if (status === 'active') return rest;
  return { ...rest, status, ...(reason === null ? {} : { statusReason: reason }) };
}
