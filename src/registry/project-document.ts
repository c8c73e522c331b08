import { findFiles } from '../db/files.ts';
import { findProject, listReleases } from '../db/projects.ts';
import type { Executor, ProjectRow } from '../db/schema.ts';
import type { CoreMetadata } from '../pypi/core-metadata.ts';
import { simpleJsonPath } from '../pypi/layout.ts';
import { renderProjectDocument, type FileDetail } from '../pypi/project-json.ts';
import { parseProjectJson } from '../pypi/simple.ts';
import { canonicalVersion, isValidVersion } from '../pypi/version.ts';
import { ServedTree } from '../repository/served-tree.ts';
import type { ObjectStore } from '../storage/object-store.ts';

export interface DocumentContext {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: { readonly id: number; readonly name: string };
}

/** What makes a project's document what it is: its page and its serial. */
export interface DocumentState {
  /** Changes whenever the document does. */
  readonly tag: string;
  readonly project: ProjectRow;
}

const MAX_PAGE_SIZE = 64 * 1024 ** 2;

/** Undefined when nothing of the project is public. */
export async function documentState(
  { db, store, index }: DocumentContext,
  name: string,
): Promise<DocumentState | undefined> {
  const project = await findProject(db, index.id, name);
  if (project === undefined || project.removed_at !== null || project.last_serial === 0) return undefined;
  const page = await store.stat(new ServedTree(index.name).plain(simpleJsonPath(name)));
  return page === undefined ? undefined : { tag: `${page.etag} ${project.last_serial}`, project };
}

/**
 * The document of a project in PyPI's JSON API, made of its signed page, so that it lists nothing that is not public; the rows add what the
 * page does not say. `url`: of the index, with its last `/`. Undefined when there is no such project, version or file.
 */
export async function projectDocument(
  context: DocumentContext,
  name: string,
  options: { readonly url: string; readonly version?: string | undefined },
): Promise<Uint8Array | undefined> {
  const { db, store, index } = context;
  const project = await findProject(db, index.id, name);
  const bytes = await store.read(new ServedTree(index.name).plain(simpleJsonPath(name)), {
    maxLength: MAX_PAGE_SIZE,
  });
  if (project === undefined || bytes === undefined) return undefined;
  const page = parseProjectJson(bytes);
  const version = options.version === undefined ? undefined : wantedVersion(page.files, options.version);
  if (options.version !== undefined && version === undefined) return undefined;
  const [rows, releases] = await Promise.all([
    findFiles(
      db,
      index.id,
      page.files.map(({ filename }) => filename),
    ),
    listReleases(db, project.id),
  ]);
  const details = new Map<string, FileDetail>();
  for (const [filename, row] of rows) {
    const { blake2b_256: blake2b256, packagetype, python_version: pythonVersion } = row;
    details.set(filename, { blake2b256, packagetype, pythonVersion });
  }
  const metadata = new Map(releases.map(({ version: of, core_metadata }) => [of, core_metadata]));
  return renderProjectDocument(
    {
      page,
      displayName: project.display_name,
      lastSerial: project.last_serial,
      details,
      metadata: (of) => JSON.parse(metadata.get(canonicalVersion(of)) ?? '{}') as Partial<CoreMetadata>,
      url: options.url,
    },
    version,
  );
}

/** The version of the page that equals the one asked for: `1.0` is `1.0.0` too. */
function wantedVersion(files: readonly { readonly version: string }[], asked: string): string | undefined {
  if (!isValidVersion(asked)) return undefined;
  const canonical = canonicalVersion(asked);
  return files.find(({ version }) => canonicalVersion(version) === canonical)?.version;
}
