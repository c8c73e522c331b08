// One session of the built client that looks for many targets, as a process of its own: prints its peak memory in MiB.
import { readFileSync } from 'node:fs';
import { HttpFetcher, Updater } from '../../dist/updater/index.js';

const { folder, url, root, targets } = JSON.parse(readFileSync(0, 'utf8'));
const fetcher = new HttpFetcher();
const updater = new Updater({
  metadataDir: folder,
  metadataBaseUrl: url,
  targetBaseUrl: url,
  fetcher,
  bootstrapRoot: readFileSync(root),
});
for (const target of targets) {
  if ((await updater.getTargetInfo(target)) === undefined) throw new Error(`${target} was not found`);
}
await fetcher.close();
console.log(process.resourceUsage().maxRSS / 1024);
