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

for (const name of ['mkdir', 'rename', 'unlink', 'link']) {
  const original = fs.promises[name];
  fs.promises[name] = async (...values) => {
    countedChange();
    return original(...values);
  };
}
const open = fs.promises.open;
fs.promises.open = async (path, flags, ...rest) => {
  if (flags === 'wx') {
    countedChange();
  }
  const file = await open(path, flags, ...rest);
  for (const name of ['writeFile', 'sync']) {
    const original = file[name].bind(file);
    file[name] = async (data, ...values) => {
      if (name === 'writeFile' && changes + 1 === Number(crashAt)) {
        // Half the bytes reach the disk.
        await original(data.subarray?.(0, data.length >> 1) ?? data.slice(0, data.length >> 1));
      }
      countedChange();
      return original(data, ...values);
    };
  }
  return file;
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
