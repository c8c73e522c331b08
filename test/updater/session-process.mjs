// One client session in a process of its own: folder, URL of the repository, and the change to the disk before which
// the process kills itself (0 for none).
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import process from 'node:process';

const [folder, base, crashAt] = process.argv.slice(2);
let changes = 0;

function countedChange() {
  changes += 1;
  if (changes === Number(crashAt)) {
    process.kill(process.pid, 'SIGKILL');
  }
}

for (const name of ['mkdirSync', 'renameSync', 'unlinkSync', 'linkSync', 'fsync']) {
  const original = fs[name];
  fs[name] = (...values) => {
    countedChange();
    return original(...values);
  };
}
const { openSync, writeFileSync, writeFile } = fs;
fs.openSync = (path, flags, ...rest) => {
  if (flags === 'wx') countedChange();
  return openSync(path, flags, ...rest);
};
/** Half the bytes reach the disk. */
function tear(file, data) {
  if (changes + 1 === Number(crashAt))
    writeFileSync(file, data.subarray?.(0, data.length >> 1) ?? data.slice(0, data.length >> 1));
  countedChange();
}
fs.writeFileSync = (file, data, ...values) => {
  tear(file, data);
  return writeFileSync(file, data, ...values);
};
fs.writeFile = (file, data, ...values) => {
  tear(file, data);
  return writeFile(file, data, ...values);
};
syncBuiltinESMExports();

const { HttpFetcher } = await import('../../dist/updater/http-fetcher.js');
const { Updater } = await import('../../dist/updater/updater.js');
const fetcher = new HttpFetcher();
try {
  const updater = new Updater({
    metadataDir: folder,
    metadataBaseUrl: `${base}/metadata/`,
    targetBaseUrl: `${base}/targets/`,
    fetcher,
    config: { supersededAfter: 0 },
  });
  for (let bin = 0; bin < 4; bin += 1) {
    await updater.getTargetInfo(`in-bin-${bin}`);
  }
  process.stdout.write('ok');
} catch (error) {
  process.stdout.write(`${error.stack}`);
  process.exitCode = 1;
} finally {
  await fetcher.close();
}
