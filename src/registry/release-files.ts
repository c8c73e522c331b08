import { filesOfProject } from '../db/files.ts';
import type { Executor, FileRow, ProjectRow } from '../db/schema.ts';
import { FormatError, quote } from '../pypi/errors.ts';
import { canonicalVersion } from '../pypi/version.ts';
import { RegistryError } from './errors.ts';
import { notFound } from './project-change.ts';

/** Which files of a project: all of one release, or one by its name. */
export type FileChoice = { readonly version: string } | { readonly filename: string };

/** The chosen files, at least one, none removed. @throws RegistryError NOT_FOUND, INVALID_REQUEST */
export async function chosenFiles(
  db: Executor,
  project: ProjectRow,
  choice: FileChoice,
): Promise<readonly FileRow[]> {
  const files = await filesOfProject(db, project.id);
  if ('filename' in choice) {
    const file = files.find(({ filename }) => filename === choice.filename);
    if (file !== undefined) return [file];
    throw notFound(`The project '${project.name}' has no file ${quote(choice.filename)}.`, project.name);
  }
  const wanted = canonical(choice.version);
  const found = files.filter(({ version }) => canonicalVersion(version) === wanted);
  if (found.length > 0) return found;
  throw notFound(`The project '${project.name}' has no release ${quote(choice.version)}.`, project.name);
}

/** How a choice is called in journal and audit log. */
export function choiceName(
  project: ProjectRow,
  choice: FileChoice,
  files: readonly Pick<FileRow, 'version'>[],
): string {
  return 'filename' in choice ? choice.filename : `${project.name} ${files[0]?.version ?? choice.version}`;
}

/** The normalized version that a person meant. @throws RegistryError INVALID_REQUEST */
export function canonical(version: string): string {
  try {
    return canonicalVersion(version);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new RegistryError('INVALID_REQUEST', `${quote(version)} is not a version.`, { cause: error });
  }
}
