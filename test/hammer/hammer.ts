import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeWheel } from '../tools/distribution.ts';
import type { RindServer } from '../tools/rind-program.ts';
import { Uploader, uploadForm } from '../tools/upload.ts';

export interface HammerOptions {
  readonly seconds: number;
  /** Uploads a second. */
  readonly rate: number;
  /** Reading processes. */
  readonly readers: number;
}

export interface HammerResult {
  readonly uploads: number;
  /** Milliseconds to the answer 200. */
  readonly taken: readonly number[];
  readonly refusedUploads: readonly string[];
  readonly sessions: number;
  readonly targets: number;
  /** What any session of any reader threw. */
  readonly failures: readonly string[];
  /** (role, version) pairs that were seen. */
  readonly versions: number;
  /** Those with more than one content. */
  readonly equivocations: readonly string[];
}

interface Reading {
  readonly sessions: number;
  readonly targets: number;
  readonly failures: readonly string[];
  readonly versions: readonly (readonly [string, readonly string[]])[];
}

const PROJECTS = 40;
/** Paths that readers choose from. */
const REMEMBERED = 200;

/** Uploads at a steady rate while readers verify everything they are given. */
export async function hammer(server: RindServer, options: HammerOptions): Promise<HammerResult> {
  const readers = Array.from({ length: options.readers }, () =>
    fork(join(import.meta.dirname, 'reader.mjs'), [server.url], { execArgv: [] }),
  );
  const readings = readers.map(readingOf);
  const { taken, refusedUploads } = await uploadSteadily(server, options, (paths) => {
    for (const reader of readers) if (reader.connected) reader.send({ paths });
  });
  for (const reader of readers) if (reader.connected) reader.send({ stop: true });
  const results = await Promise.all(readings);
  const contents = new Map<string, Set<string>>();
  for (const { versions } of results) {
    for (const [name, hashes] of versions)
      contents.set(name, new Set([...(contents.get(name) ?? []), ...hashes]));
  }
  return {
    uploads: taken.length,
    taken,
    refusedUploads,
    sessions: results.reduce((sum, { sessions }) => sum + sessions, 0),
    targets: results.reduce((sum, { targets }) => sum + targets, 0),
    failures: results.flatMap(({ failures }) => failures),
    versions: contents.size,
    equivocations: [...contents].filter(([, hashes]) => hashes.size > 1).map(([name]) => name),
  };
}

async function readingOf(reader: ChildProcess): Promise<Reading> {
  const ended = once(reader, 'exit').then(([code]) => {
    throw new Error(`a reader ended with ${String(code)}`);
  });
  const [message] = (await Promise.race([once(reader, 'message'), ended])) as [Reading];
  ended.catch(() => undefined);
  return message;
}

async function uploadSteadily(
  server: RindServer,
  { seconds, rate }: HammerOptions,
  published: (paths: readonly string[]) => void,
): Promise<{ readonly taken: readonly number[]; readonly refusedUploads: readonly string[] }> {
  const uploader = new Uploader(server.uploadUrl, server.token, 128);
  const taken: number[] = [];
  const refusedUploads: string[] = [];
  let paths: string[] = [];
  const post = async (number: number): Promise<void> => {
    const name = `hammer-${number % PROJECTS}`;
    const wheel = makeWheel({ name, version: `1.${number}`, padding: 5000 });
    const answer = await uploader.post(uploadForm(wheel));
    if (answer.status !== 200) {
      refusedUploads.push(`${answer.status} ${answer.reason}`);
      return;
    }
    taken.push(answer.milliseconds);
    paths = [...paths.slice(-REMEMBERED), `simple/${name}/index.json`, `packages/${name}/${wheel.filename}`];
    published(paths);
  };
  const started = performance.now();
  const posts: Promise<void>[] = [];
  for (let number = 0; number < seconds * rate; number++) {
    await sleep(Math.max(0, started + (number * 1000) / rate - performance.now()));
    posts.push(post(number));
  }
  await Promise.all(posts);
  uploader.close();
  return { taken, refusedUploads };
}
