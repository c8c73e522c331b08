import { z } from 'zod';
import {
  createLock,
  filenameOf,
  hash,
  LockFileError,
  NO_HASH,
  otherSource,
  projectName,
  readToml,
  text,
  type Lock,
  type LockedFile,
  type Origin,
} from './lock-file.ts';

const file = z.looseObject({
  url: text.optional(),
  path: text.optional(),
  filename: text.optional(),
  hash: hash.optional(),
  size: z.number().int().nonnegative().optional(),
});

const packageTable = z.looseObject({
  name: projectName,
  version: text.optional(),
  source: z.looseObject({
    registry: text.optional(),
    url: text.optional(),
    git: text.optional(),
    path: text.optional(),
    directory: text.optional(),
    editable: text.optional(),
    virtual: text.optional(),
  }),
  sdist: file.optional(),
  wheels: z.array(file).optional(),
});

const shape = z.looseObject({
  version: z.number().int(),
  package: z.array(packageTable).optional(),
});

type PackageTable = z.infer<typeof packageTable>;

/** uv.lock, version 1. @throws LockFileError */
export function readUvLock(bytes: Uint8Array): Lock {
  const document = readToml(bytes, shape);
  if (document.version !== 1)
    throw new LockFileError('unknown-version', `its version is ${document.version}, and only 1 is known`);
  return createLock('uv', (document.package ?? []).flatMap(filesOf));
}

function filesOf(table: PackageTable): LockedFile[] {
  const { name, version, source } = table;
  const local = source.virtual ?? source.editable ?? source.directory;
  if (local !== undefined) return [otherSource(name, version, 'local', local)];
  if (source.git !== undefined) return [otherSource(name, version, 'elsewhere', source.git)];
  const origin = originOf(source);
  const files = [...(table.sdist === undefined ? [] : [table.sdist]), ...(table.wheels ?? [])];
  if (files.length === 0) return [otherSource(name, version, 'elsewhere', origin.text)];
  return files.map((each) => ({
    project: name,
    version,
    filename: each.filename ?? filenameOf(each.url ?? each.path ?? origin.text),
    hashes: each.hash ?? NO_HASH,
    length: each.size,
    origin,
  }));
}

function originOf({ registry, url, path }: PackageTable['source']): Origin {
  if (registry !== undefined)
    return { kind: /^https?:/.test(registry) ? 'index' : 'elsewhere', text: registry };
  return { kind: 'elsewhere', text: url ?? path ?? 'an unknown kind of source' };
}
