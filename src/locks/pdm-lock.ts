import { z } from 'zod';
import {
  filenameOf,
  hash,
  NO_HASH,
  otherSource,
  projectName,
  text,
  type Lock,
  type LockedFile,
} from './lock-file.ts';
import { readPackageTables } from './package-tables.ts';

const file = z.looseObject({ file: text.optional(), url: text.optional(), hash: hash.optional() });

const packageTable = z.looseObject({
  name: projectName,
  version: text.optional(),
  files: z.array(file).optional(),
  git: text.optional(),
  hg: text.optional(),
  svn: text.optional(),
  bzr: text.optional(),
  url: text.optional(),
  path: text.optional(),
});

/** pdm.lock. @throws LockFileError */
export function readPdmLock(bytes: Uint8Array): Lock {
  return readPackageTables('pdm', bytes, {
    table: packageTable,
    file,
    olderName: ({ name, version = '' }) => `${name} ${version}`,
    filesOf,
  });
}

function filesOf(table: z.infer<typeof packageTable>, files: readonly z.infer<typeof file>[]): LockedFile[] {
  const { name, version, path, url } = table;
  const repository = table.git ?? table.hg ?? table.svn ?? table.bzr;
  if (repository !== undefined) return [otherSource(name, version, 'elsewhere', repository)];
  const place = url ?? path;
  if (files.length === 0)
    return [
      otherSource(name, version, path === undefined ? 'elsewhere' : 'local', place ?? 'no file at all'),
    ];
  return files.map((each) => ({
    project: name,
    version,
    filename: each.file ?? (each.url === undefined ? undefined : filenameOf(each.url)),
    hashes: each.hash ?? NO_HASH,
    length: undefined,
    origin: originOf(place, each.url),
  }));
}

function originOf(place: string | undefined, url: string | undefined): LockedFile['origin'] {
  if (place !== undefined) return { kind: 'elsewhere', text: place };
  return url === undefined ? undefined : { kind: 'index', text: url };
}
