import { z } from 'zod';
import { hash, NO_HASH, otherSource, projectName, text, type Lock, type LockedFile } from './lock-file.ts';
import { readPackageTables } from './package-tables.ts';

const file = z.looseObject({ file: text, hash: hash.optional() });

const packageTable = z.looseObject({
  name: projectName,
  version: text,
  files: z.array(file).optional(),
  source: z.looseObject({ type: text, url: text }).optional(),
});

/** poetry.lock, versions 1 and 2. @throws LockFileError */
export function readPoetryLock(bytes: Uint8Array): Lock {
  return readPackageTables('poetry', bytes, {
    table: packageTable,
    file,
    olderName: ({ name }) => name,
    filesOf,
  });
}

function filesOf(
  { name, version, source }: z.infer<typeof packageTable>,
  files: readonly z.infer<typeof file>[],
): LockedFile[] {
  const isIndex = source === undefined || source.type === 'legacy';
  if (source?.type === 'directory') return [otherSource(name, version, 'local', source.url)];
  // The hashes of archives from elsewhere stand under `files` like those of an index.
  if (source?.type === 'git' || files.length === 0)
    return [otherSource(name, version, 'elsewhere', source?.url ?? 'no file at all')];
  const origin =
    source === undefined ? undefined : { kind: isIndex ? 'index' : 'elsewhere', text: source.url };
  return files.map((each) => ({
    project: name,
    version,
    filename: each.file,
    hashes: each.hash ?? NO_HASH,
    length: undefined,
    origin: origin as LockedFile['origin'],
  }));
}
