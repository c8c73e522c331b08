import { z } from 'zod';
import {
  createLock,
  filenameOf,
  LockFileError,
  otherSource,
  projectName,
  readToml,
  text,
  type Lock,
  type LockedFile,
  type Origin,
} from './lock-file.ts';

const digest = text.regex(/^[0-9a-fA-F]{32,128}$/, 'this is no hexadecimal digest');

const file = z.looseObject({
  name: text.optional(),
  url: text.optional(),
  path: text.optional(),
  size: z.number().int().nonnegative().optional(),
  hashes: z.record(text, digest),
});

const packageTable = z.looseObject({
  name: projectName,
  version: text.optional(),
  index: text.optional(),
  vcs: z.looseObject({ url: text.optional(), path: text.optional() }).optional(),
  directory: z.looseObject({ path: text }).optional(),
  archive: file.optional(),
  sdist: file.optional(),
  wheels: z.array(file).optional(),
});

const shape = z.looseObject({
  'lock-version': text,
  packages: z.array(packageTable),
});

/** pylock.toml (PEP 751), version 1. @throws LockFileError */
export function readPylock(bytes: Uint8Array): Lock {
  const document = readToml(bytes, shape);
  const version = document['lock-version'];
  if (!/^1\.[0-9]+$/.test(version))
    throw new LockFileError('unknown-version', `its version is ${version}, and only 1 is known`);
  return createLock('pylock', document.packages.flatMap(filesOf));
}

function filesOf(table: z.infer<typeof packageTable>): LockedFile[] {
  const { name, version, index, vcs, directory, archive, sdist, wheels } = table;
  if (directory !== undefined) return [otherSource(name, version, 'local', directory.path)];
  if (vcs !== undefined)
    return [otherSource(name, version, 'elsewhere', vcs.url ?? vcs.path ?? 'a repository')];
  const files = [archive, sdist, ...(wheels ?? [])].filter((each) => each !== undefined);
  if (files.length === 0) return [otherSource(name, version, 'elsewhere', 'no file at all')];
  return files.map((each) => {
    const place = each.url ?? each.path;
    const origin: Origin | undefined =
      index === undefined
        ? place === undefined
          ? undefined
          : { kind: each === archive ? 'elsewhere' : 'index', text: place }
        : { kind: 'index', text: index };
    const hashes = new Map(Object.entries(each.hashes).map(([key, value]) => [key, value.toLowerCase()]));
    const filename = each.name ?? (place === undefined ? undefined : filenameOf(place));
    return { project: name, version, filename, hashes, length: each.size, origin };
  });
}
