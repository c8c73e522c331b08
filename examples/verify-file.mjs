// Downloads one file of an index, verified from the root of trust down to its last byte.
//
//   node verify-file.mjs https://rind.example/ 1.root.json packages/flask/flask-3.1.0-py3-none-any.whl
//
// `1.root.json` is the root you trust for a reason of your own: from a colleague, a release page, a repository. Whoever
// serves the index, or stands between it and you, can make this fail, but not make it write another file.
import { mkdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DownloadError, HttpFetcher, Updater } from 'rind/updater';
import { RepositoryError } from 'rind/tuf';

const [index, rootFile, path, folder = '.'] = process.argv.slice(2);
if (index === undefined || rootFile === undefined || path === undefined) {
  console.error('usage: node verify-file.mjs INDEX ROOT.json TARGET-PATH [FOLDER]');
  process.exit(2);
}

const metadataDir = join(folder, 'trusted-metadata');
await mkdir(metadataDir, { recursive: true, mode: 0o700 });
const fetcher = new HttpFetcher();
const updater = new Updater({
  metadataDir,
  metadataBaseUrl: new URL('metadata/', index).href,
  targetBaseUrl: index,
  bootstrapRoot: await readFile(rootFile),
  fetcher,
});

try {
  const target = await updater.getTargetInfo(path);
  if (target === undefined) {
    console.error(`${path}: no role of this index lists it`);
    process.exitCode = 1;
  } else {
    const file = join(folder, basename(path));
    await updater.downloadTarget(target, file);
    console.log(`${file}: ${target.length} bytes, sha256 ${target.hashes.get('sha256')}, verified`);
  }
} catch (error) {
  if (!(error instanceof RepositoryError || error instanceof DownloadError)) throw error;
  console.error(`not verified (${error.code}): ${error.message}`);
  process.exitCode = 1;
} finally {
  await fetcher.close();
}
