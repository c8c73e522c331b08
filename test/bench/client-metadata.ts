import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { RepositorySimulator } from '../../src/testing/repository-simulator.ts';
import { HttpFetcher, Updater } from '../../src/updater/index.ts';
import { isQuick, type Table } from './report.ts';

const BITS = isQuick ? 8 : 14;
const TARGETS = isQuick ? 10_000 : 1_000_000;
const PACKAGES = 50;
const UPLOADS = 100;

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
const digits = Math.ceil(BITS / 4);
const binOf = (path: string): string =>
  `bin-${(Number.parseInt(hash(path).slice(0, 8), 16) >>> (32 - BITS)).toString(16).padStart(digits, '0')}`;
/** What an install of one package asks for: its page and a file. */
const pathsOf = (name: string): string[] => [
  `simple/${name}/index.json`,
  `packages/${name}/${name}-1.0-py3-none-any.whl`,
];

/** Bytes of metadata that cross the network for a tree of fifty packages in an index of a million targets. */
export async function benchClientMetadata(folder: string): Promise<Table> {
  const repository = new RepositorySimulator();
  const bins = repository.addBins('targets', BITS, 'path_hash_prefixes');
  // As after years of uploads: versions of many digits, no two alike.
  for (const [position, bin] of bins.entries()) repository.role(bin).version = 1 + ((position * 7919) % 4000);
  const wanted = Array.from({ length: PACKAGES }, (_, number) => `package-${number}`).flatMap(pathsOf);
  const filled = new Set(wanted.map(binOf));
  for (const bin of filled) fill(repository, bin, Math.round(TARGETS / bins.length));
  for (const path of wanted) repository.addTarget(binOf(path), path, Buffer.from(path));
  repository.publishAll();

  let sent = 0;
  const server = createServer((request, response) => {
    const bytes = repository.files.get(decodeURIComponent((request.url ?? '').slice(1)));
    if (bytes === undefined) return void response.writeHead(404).end();
    const body = gzipSync(bytes);
    sent += body.length;
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const fetcher = new HttpFetcher();
  const resolveTree = async (): Promise<[bytes: number, milliseconds: number]> => {
    sent = 0;
    const started = performance.now();
    const updater = new Updater({
      metadataDir: join(folder, 'metadata'),
      metadataBaseUrl: `${url}metadata/`,
      targetBaseUrl: url,
      fetcher,
      bootstrapRoot: repository.initialRoot,
    });
    await updater.refresh();
    for (const path of wanted) {
      if ((await updater.getTargetInfo(path)) === undefined) throw new Error(`${path} is not signed`);
    }
    return [sent, performance.now() - started];
  };
  const cold = await resolveTree();
  const again = await resolveTree();
  const changed = new Set<string>();
  for (let upload = 0; upload < UPLOADS; upload += 1) {
    for (const path of pathsOf(`uploaded-${upload}`)) {
      repository.addTarget(binOf(path), path, Buffer.from(path));
      changed.add(binOf(path));
    }
  }
  // The delegations to the bins stay as they were signed.
  repository.publish([...changed, 'snapshot', 'timestamp']);
  const after = await resolveTree();
  await fetcher.close();
  server.close();
  const row = (what: string, [bytes, time]: [number, number], aim: string): string[] => [
    what,
    `${(bytes / 1000).toFixed(0)} KB`,
    aim,
    `${time.toFixed(0)} ms`,
  ];
  return {
    title: 'Metadata of a tree of fifty packages',
    method: `Metadata on the network, gzip, for page and file of ${PACKAGES} packages in an index of ${TARGETS} targets in ${bins.length} made-up bins; those that the tree needs are as full as the others would be.`,
    columns: ['when', 'metadata', 'aim', 'time'],
    rows: [
      row('cold', cold, '2500 KB'),
      row('again, nothing new', again, ''),
      row(`after ${UPLOADS} uploads`, after, '200 KB'),
    ],
    missing: [],
  };
}

function fill(repository: RepositorySimulator, bin: string, count: number): void {
  const { targets } = repository.role(bin);
  for (let number = 0; number < count; number += 1) {
    const name = `made-up-${hash(`${bin} ${number}`).slice(0, 8)}`;
    const sha256 = hash(name);
    targets[`packages/${name}/${name.replaceAll('-', '_')}-1.${number}.0-py3-none-any.whl`] = {
      length: 10_000 + number,
      hashes: { sha256 },
    };
  }
}
