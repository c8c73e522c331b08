import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyBundle } from '../ceremony/bundle.ts';
import { exists } from '../ceremony/durable-folder.ts';
import { encodePublicKey } from '../ceremony/public-key-file.ts';
import { findIndex, insertIndex } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import { acquireStoreLock } from '../db/store-lock.ts';
import { openSigners } from '../keys/key-choice.ts';
import { adoptRepository } from '../repository/recovery/adopt-repository.ts';
import { readForeignRepository, type ForeignRepository } from '../repository/recovery/foreign-repository.ts';
import { readSource, type PublishedSource } from '../repository/recovery/published-source.ts';
import { sha256Hex } from '../repository/project-targets.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { metadataFileName } from '../tuf/layout.ts';
import { Metadata } from '../tuf/metadata.ts';
import { CliError } from './cli-error.ts';
import { openDataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { makeOnlineKey } from './make-online-key.ts';
import { requireOnlineKeys } from './online-keys.ts';
import { openSource, type OpenedSource } from './published-source.ts';
import { cliActor } from './run-backup.ts';
import { print, say } from './terminal.ts';

export interface AdoptCommandOptions {
  readonly data: string;
  readonly work: string;
  readonly files?: string;
  readonly fingerprint: string;
  readonly rootVersion: string;
  readonly profile: string;
}

const METADATA = 'metadata/';

/** `rind adopt`: prepares the ceremony; the same command again, when the old holders of root have signed, makes the index. */
export async function runAdopt(source: string, options: AdoptCommandOptions): Promise<ExitCode> {
  const opened = await openSource(source);
  const files = options.files === undefined ? undefined : await openSource(options.files);
  try {
    const metadata = metadataOf(opened);
    const foreign = await readForeignRepository(metadata, await pinnedRoot(metadata, options));
    const bundle = join(options.work, 'bundle');
    if (await exists(join(bundle, 'manifest.json')))
      return await complete(bundle, foreign, files?.source, options);
    await prepare(foreign, options);
    return EXIT.ok;
  } finally {
    await files?.close();
    await opened.close();
  }
}

/** The folder or URL holds `1.root.json` itself, wherever that is. */
function metadataOf({ source }: OpenedSource): PublishedSource {
  return {
    name: source.name,
    stream: async (path, maxLength) =>
      path.startsWith(METADATA) ? source.stream(path.slice(METADATA.length), maxLength) : undefined,
  };
}

async function pinnedRoot(
  source: PublishedSource,
  { fingerprint, rootVersion }: AdoptCommandOptions,
): Promise<Uint8Array> {
  const name = metadataFileName('root', Number(rootVersion));
  const bytes = await readSource(source, METADATA + name, 1 << 20);
  if (bytes === undefined)
    throw new CliError('failure', `${source.name} has no ${name}.`, [
      'name the folder or URL of the metadata',
    ]);
  const found = sha256Hex(Metadata.fromBytes(bytes, 'root').signedBytes);
  if (found === fingerprint.toLowerCase()) return bytes;
  throw new CliError('verification', `${name} of ${source.name} has the fingerprint ${found}.`, [
    'nothing was changed; the fingerprint is the sha256 of the canonical signed part of the root that clients trust',
  ]);
}

/** The old roots and targets as base of a ceremony, a plan for it, and the online key of the new data folder. */
async function prepare(foreign: ForeignRepository, options: AdoptCommandOptions): Promise<void> {
  const { work, data, profile } = options;
  const base = join(work, 'base');
  await mkdir(base, { recursive: true, mode: 0o700 });
  for (const root of foreign.roots)
    await writeFile(join(base, metadataFileName('root', root.signed.version)), root.toBytes());
  const targets = foreign.published.targets;
  await writeFile(join(base, metadataFileName('targets', targets.version)), targets.bytes);
  const online = join(work, 'online.public-key');
  if (!(await exists(online))) await makeOnlineKey({ data, out: online });
  const plan = join(work, 'ceremony.toml');
  if (!(await exists(plan))) await writeFile(plan, await planText(foreign, work, profile), { mode: 0o600 });
  tellRefused(foreign.refused);
  const { version } = foreign.root.signed;
  say(
    [
      `root ${version} verifies, ${foreign.targets.length} targets can be adopted. Next:`,
      `  review ${plan}`,
      `  rind ceremony renew ${plan} --from ${base} --out ${join(work, 'bundle')}`,
      `  rind sign ${join(work, 'bundle')} --key URI, by a threshold of the keys of root ${version} and of the new root`,
      '  this command again',
    ].join('\n'),
  );
}

async function planText(
  { root, targetPaths }: ForeignRepository,
  work: string,
  profile: string,
): Promise<string> {
  const role = root.signed.roles.get('root');
  const holders: string[] = [];
  for (const [position, id] of (role?.keyIds ?? []).entries()) {
    const key = root.signed.keys.get(id);
    if (key === undefined) continue;
    const name = `root-${position + 1}.public-key`;
    await writeFile(join(work, name), encodePublicKey(key));
    holders.push(`[[root.keys]]\nholder = "holder ${position + 1} of root"\npublic-key = "${name}"\n`);
  }
  const oneTime = (name: string) => `[${name}]\none-time-keys = 2\nthreshold = 2\n`;
  return [
    `format = "rind-ceremony-plan-1"\nprofile = "${profile}"\n# the paths of the adopted targets\ntarget-paths = ${JSON.stringify(targetPaths)}\n`,
    `# the present holders of root; new ones may be added\n[root]\nthreshold = ${role?.threshold ?? 1}\n`,
    ...holders,
    ...['targets', 'claimed', 'bins'].map(oneTime),
    '[[online.keys]]\npublic-key = "online.public-key"\n',
  ].join('\n');
}

async function complete(
  path: string,
  foreign: ForeignRepository,
  files: PublishedSource | undefined,
  options: AdoptCommandOptions,
): Promise<ExitCode> {
  const { roles, event } = await verifyBundle(path);
  if (event.candidate.rehearsal)
    throw new CliError('failure', `${path} is a rehearsal and is never imported.`);
  const folder = await openDataFolder(options.data);
  const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary });
  const lock = await acquireStoreLock(folder.path);
  const database = await openDatabase({ path: folder.database });
  try {
    const { db } = database;
    const opened = await openSigners(await requireOnlineKeys(folder));
    try {
      const found = await findIndex(db, '');
      const index =
        found ?? (await insertIndex(db, { name: '', profile: event.candidate.profile, now: new Date() }));
      const { signers: online } = opened;
      const options = { db, store, index, foreign, files, offline: roles, online, actor: cliActor() };
      const report = await adoptRepository(options);
      tellRefused(report.refused);
      print(`fingerprint ${report.fingerprint}`);
      say(
        `adopted: ${report.targets} targets, ${report.files} of their files are in ${folder.tree}; root is version ${report.root.signed.version}. Serve the metadata folder of the tree where the old metadata was.`,
      );
    } finally {
      await opened.close();
    }
  } finally {
    await database.close();
    lock.release();
  }
  return EXIT.ok;
}

function tellRefused(refused: readonly string[]): void {
  for (const sentence of refused) print(`left out: ${sentence}`);
}
