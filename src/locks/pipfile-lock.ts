import { z } from 'zod';
import {
  checkShape,
  createLock,
  decodeLock,
  hash,
  LockFileError,
  NO_HASH,
  otherSource,
  projectName,
  text,
  type Lock,
  type LockedFile,
} from './lock-file.ts';

const entry = z.looseObject({
  version: text.optional(),
  hashes: z.array(hash).optional(),
  index: text.optional(),
  git: text.optional(),
  hg: text.optional(),
  svn: text.optional(),
  bzr: text.optional(),
  file: text.optional(),
  path: text.optional(),
});

const meta = z.looseObject({
  'pipfile-spec': z.number().int(),
  sources: z.array(z.looseObject({ name: text.optional(), url: text })).optional(),
});

/** Pipfile.lock, form 6: every section but `_meta` is a category of packages. @throws LockFileError */
export function readPipfileLock(bytes: Uint8Array): Lock {
  const source = decodeLock(bytes);
  let document: unknown;
  try {
    document = JSON.parse(source);
  } catch (cause) {
    throw new LockFileError('malformed', 'it is not JSON', { cause });
  }
  const { _meta: about, ...sections } = checkShape(
    document,
    z.object({ _meta: meta }).catchall(z.record(text, entry)),
  );
  if (about['pipfile-spec'] !== 6)
    throw new LockFileError('unknown-version', `its form is ${about['pipfile-spec']}, and only 6 is known`);
  const urls = new Map((about.sources ?? []).map(({ name, url }) => [name, url]));
  const files = Object.values(sections).flatMap((section) =>
    Object.entries(section as Record<string, z.infer<typeof entry>>).flatMap(([name, each]) =>
      filesOf(checkShape(name, projectName), each, urls),
    ),
  );
  return createLock('pipenv', files);
}

function filesOf(
  project: string,
  each: z.infer<typeof entry>,
  urls: ReadonlyMap<string | undefined, string>,
): LockedFile[] {
  const version = /^===?\s*(\S+)$/.exec(each.version ?? '')?.[1];
  const repository = each.git ?? each.hg ?? each.svn ?? each.bzr;
  if (repository !== undefined) return [otherSource(project, version, 'elsewhere', repository)];
  const local = each.path ?? each.file;
  if (local !== undefined && (each.hashes ?? []).length === 0)
    return [otherSource(project, version, /^[a-z]+:\/\//.test(local) ? 'elsewhere' : 'local', local)];
  const url = urls.get(each.index);
  const origin = url === undefined ? undefined : ({ kind: 'index', text: url } as const);
  const hashes = each.hashes ?? [];
  return (hashes.length === 0 ? [NO_HASH] : hashes).map((digest) => ({
    project,
    version,
    filename: undefined,
    hashes: digest,
    length: undefined,
    origin,
  }));
}
