import type { Executor } from '../db/schema.ts';
import { parseDistributionFilename, type DistributionFilename } from '../pypi/distribution-filename.ts';
import { quote } from '../pypi/errors.ts';
import { RegistryError } from './errors.ts';

/**
 * Refuses a filename that installers would take for another one of the release: the same name, version and tags in another
 * spelling (`Foo-1.0.tar.gz` beside `foo-1.0.0.tar.gz`). Removed files count: a name is never used twice.
 *
 * @throws RegistryError FILE_EXISTS
 */
export async function requireFreeFilename(
  db: Executor,
  releaseId: number,
  filename: DistributionFilename,
): Promise<void> {
  const rows = await db.selectFrom('files').select('filename').where('release_id', '=', releaseId).execute();
  const other = rows.find((row) => parseDistributionFilename(row.filename).identity === filename.identity);
  if (other === undefined) return;
  throw new RegistryError(
    'FILE_EXISTS',
    `File already exists (${quote(other.filename)}): ${quote(filename.filename)} is only another spelling of it.`,
    { filename: filename.filename },
  );
}
