// One session of tuf-js as a process of its own, because it cannot be interrupted otherwise: prints milliseconds.
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Updater } from 'tuf-js';

const { folder, url, root, target } = JSON.parse(readFileSync(0, 'utf8'));
mkdirSync(folder, { recursive: true });
copyFileSync(root, join(folder, 'root.json'));
const started = performance.now();
const updater = new Updater({ metadataDir: folder, metadataBaseUrl: url });
await updater.refresh();
if ((await updater.getTargetInfo(target)) === undefined) throw new Error(`${target} was not found`);
console.log(performance.now() - started);
