import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CliError } from './cli-error.ts';

/** Where everything of a server with the embedded store lies. Only `tree` is public. */
export interface DataFolder {
  readonly path: string;
  /** What the web serves, as static files. */
  readonly tree: string;
  /** Where files grow before they get a name. */
  readonly temporary: string;
  readonly database: string;
  readonly onlineKey: string;
  /** URIs of online keys that are elsewhere (cli/online-keys.ts). */
  readonly onlineKeys: string;
  /** Opens the online key at every start; mode 0600. */
  readonly onlinePassphrase: string;
  readonly offlineKeys: string;
  /** Of a trial that was not started on a terminal; mode 0600. */
  readonly offlinePassphrase: string;
  /** Of a trial that was not started on a terminal; mode 0600. */
  readonly uploadToken: string;
}

const OTHERS = 0o077;
/** One of these lies in every data folder: what came first, or what somebody put there for the first start. */
const OWN_NAMES: ReadonlySet<string> = new Set(['rind.db', 'keys', 'rind.toml', 'tree', 'indexes']);

/**
 * The folder with the keys of one index of a server: the server's own for the default index, `indexes/<name>` in it for every other. Tree,
 * database and temporary files are the server's.
 */
export function folderOfIndex(folder: DataFolder, name: string): DataFolder {
  if (name === '') return folder;
  const { tree, temporary, database } = folder;
  return { ...dataFolderAt(join(folder.path, 'indexes', name)), tree, temporary, database };
}

export function dataFolderAt(path: string): DataFolder {
  const root = resolve(path);
  const at = (...names: string[]): string => join(root, ...names);
  return {
    path: root,
    tree: at('tree'),
    temporary: at('temporary'),
    database: at('rind.db'),
    onlineKey: at('keys', 'online.json'),
    onlineKeys: at('keys', 'elsewhere.json'),
    onlinePassphrase: at('keys', 'online.passphrase'),
    offlineKeys: at('offline-keys'),
    offlinePassphrase: at('offline-keys', 'passphrase'),
    uploadToken: at('upload-token'),
  };
}

/** Makes the folder, or takes an empty one, and closes it to others; or checks that it is a data folder and closed. Throws CliError. */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const folder = dataFolderAt(path);
  try {
    await makeFolder(folder.path);
    const names = (await readdir(folder.path)).filter(
      (name) => name !== 'lost+found' && !name.startsWith('.'),
    );
    if (names.length > 0 && !names.some((name) => OWN_NAMES.has(name))) throw notOurs(folder.path);
    // The umask may have taken more than wanted, never less; a folder of somebody else is refused here.
    if (names.length === 0) await chmod(folder.path, 0o700);
    else await requireClosed(folder.path);
    await mkdir(join(folder.path, 'keys'), { recursive: true, mode: 0o700 });
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError(
      'failure',
      `The data folder ${folder.path} cannot be used: ${reason(cause)}.`,
      ['name another one with --data'],
      { cause },
    );
  }
  return folder;
}

/** With those above it. Node.js's own way never ends where a file system, as /proc does, answers ENOENT although the folder above is there. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    const above = dirname(path);
    if (code !== 'ENOENT' || (await stat(above).catch(() => undefined)) !== undefined) throw error;
    await makeFolder(above);
    await makeFolder(path);
  }
}

/** Nothing is written among somebody else's files. */
function notOurs(path: string): CliError {
  return new CliError(
    'failure',
    `${path} is not empty and no data folder of rind; nothing was written there.`,
    ['name an empty folder with --data, or one that is not there yet'],
  );
}

/** The online keys of the server, the oldest first: `online.json`, and beside it `online-2.json` and so on while one replaces another. */
export async function onlineKeyFiles({ onlineKey }: DataFolder): Promise<readonly string[]> {
  const folder = dirname(onlineKey);
  const names = await readdir(folder).catch(() => []);
  const found = names.flatMap((name) => {
    const match = /^online(?:-(\d{1,6}))?\.json$/.exec(name);
    return match === null ? [] : [{ path: join(folder, name), number: Number(match[1] ?? 1) }];
  });
  return found.toSorted((a, b) => a.number - b.number).map(({ path }) => path);
}

/** The folder of a server that exists. Throws CliError when there is none. */
export async function existingDataFolder(path: string): Promise<DataFolder> {
  const folder = dataFolderAt(path);
  const found = await stat(folder.database).catch(() => undefined);
  if (found?.isFile() === true) return folder;
  throw new CliError('failure', `There is no index in ${folder.path}: ${folder.database} does not exist.`, [
    'name the data folder of the server with --data; rind serve makes one',
  ]);
}

async function requireClosed(path: string): Promise<void> {
  const { mode } = await stat(path);
  if (process.platform === 'win32' || (mode & OTHERS) === 0) return;
  throw new CliError('failure', `${path} holds keys and can be reached by other users of this machine.`, [
    `chmod 700 ${path}`,
  ]);
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
