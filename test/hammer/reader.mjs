// A verifying reader in a process of its own: session after session it brings the trust forward and reads a page and a file that are public,
// until it is told to stop; then it says how often, what failed, and every (role, version) with the hashes of the bytes it was given.
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { HttpFetcher, MetadataMemory, Updater } from '../../dist/updater/index.js';

const [url] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'rind-hammer-'));
const http = new HttpFetcher({ userAgent: 'hammer' });
const seen = new Map();
const failures = [];
let known = [];
let stopped = false;
let sessions = 0;
let targets = 0;

process.on('message', (message) => {
  if (message.stop === true) stopped = true;
  else known = message.paths;
});
process.on('disconnect', () => process.exit(1));

/** Remembers what was served under each numbered name; timestamps by the version in them. */
const fetcher = {
  async *fetch(address, options) {
    const hash = createHash('sha256');
    const chunks = [];
    for await (const chunk of http.fetch(address, options)) {
      hash.update(chunk);
      chunks.push(chunk);
      yield chunk;
    }
    const name = /\/metadata\/([^/]+)\.json$/.exec(address)?.[1];
    if (name === undefined) return;
    const version = name === 'timestamp' ? JSON.parse(Buffer.concat(chunks).toString()).signed.version : '';
    const hashes = seen.get(`${version}${name}`) ?? new Set();
    seen.set(`${version}${name}`, hashes.add(hash.digest('hex')));
  },
};
const bootstrapRoot = Buffer.from(await (await fetch(`${url}metadata/1.root.json`)).arrayBuffer());
const memory = new MetadataMemory();

async function session() {
  // What was public before the session began.
  const paths = known;
  const updater = new Updater({
    metadataDir: join(folder, 'metadata'),
    metadataBaseUrl: `${url}metadata/`,
    targetBaseUrl: url,
    fetcher,
    bootstrapRoot,
    memory,
  });
  await updater.refresh();
  sessions += 1;
  for (const path of [paths.at(-1), paths[Math.floor(Math.random() * paths.length)]]) {
    if (path === undefined) continue;
    const target = await updater.getTargetInfo(path);
    if (target === undefined) throw new Error(`${path} was answered 200 and is no target`);
    await updater.targetBytes(target, 64 * 1024 ** 2);
    targets += 1;
  }
}

// Once more after the last upload, so that every reader has seen what is public then.
for (let isLast = false; !isLast;) {
  isLast = stopped;
  try {
    await session();
  } catch (error) {
    failures.push(`${error.name}: ${error.message}`);
    if (failures.length > 100) break;
  }
  // Let the messages in.
  await new Promise((resolve) => setImmediate(resolve));
}
await http.close();
await rm(folder, { recursive: true, force: true });
const versions = [...seen].map(([name, hashes]) => [name, [...hashes]]);
process.send({ sessions, targets, failures, versions }, () => process.disconnect());
process.removeAllListeners('disconnect');
