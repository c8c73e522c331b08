import { z } from 'zod';
import { createLock, readToml, text, type Lock, type LockedFile, type LockFormat } from './lock-file.ts';

/** How a lock with `[[package]]` tables is read. */
export interface PackageTables<File, Table> {
  readonly table: z.ZodType<Table>;
  readonly file: z.ZodType<File>;
  /** Under what name the files of a package stand in the older form. */
  readonly olderName: (table: Table) => string;
  readonly filesOf: (table: Table, files: readonly File[]) => readonly LockedFile[];
}

/**
 * poetry.lock and pdm.lock: a table for each package with its files, or, before poetry 1.5 and version 4.3 of pdm's form, the files of all
 * packages in one place. @throws LockFileError
 */
export function readPackageTables<File, Table extends { readonly files?: readonly File[] | undefined }>(
  format: LockFormat,
  bytes: Uint8Array,
  { table, file, olderName, filesOf }: PackageTables<File, Table>,
): Lock {
  const shape = z.looseObject({
    package: z.array(table).optional(),
    metadata: z.looseObject({ files: z.record(text, z.array(file)).optional() }),
  });
  const document = readToml(bytes, shape);
  const older = new Map(Object.entries(document.metadata.files ?? {}));
  const tables = document.package ?? [];
  return createLock(
    format,
    tables.flatMap((each) => filesOf(each, each.files ?? older.get(olderName(each)) ?? [])),
  );
}
