import { readFile, rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { KeyChoice } from '../keys/key-choice.ts';
import { CliError } from './cli-error.ts';
import { onlineKeyFiles, type DataFolder } from './data-folder.ts';

const keysFile = z.array(z.strictObject({ uri: z.string(), secret: z.string().optional() }));

/** The online keys of a server: its own key files, and the keys elsewhere that it was given (`rind ceremony online-key --key`). */
export async function onlineKeys(folder: DataFolder): Promise<readonly KeyChoice[]> {
  const secret = `file:${folder.onlinePassphrase}`;
  const files = (await onlineKeyFiles(folder)).map((path) => ({ uri: `file2:${path}`, secret }));
  return [...files, ...(await keysElsewhere(folder))];
}

/** As `onlineKeys`. Throws CliError when there is none. */
export async function requireOnlineKeys(folder: DataFolder): Promise<readonly KeyChoice[]> {
  const keys = await onlineKeys(folder);
  if (keys.length > 0) return keys;
  throw new CliError('failure', `There is no online key in ${folder.path}.`, [
    'rind ceremony online-key makes it; its public half belongs into the plan',
  ]);
}

/** Writes down a key that is elsewhere, for every later start, wherever that is started from. */
export async function addOnlineKey(folder: DataFolder, { uri, secret }: KeyChoice): Promise<void> {
  const choice = {
    uri: withWholePath(uri, ['file2:', 'signer:']),
    ...(secret === undefined ? {} : { secret: withWholePath(secret, ['file:']) }),
  };
  const others = (await keysElsewhere(folder)).filter(({ uri }) => uri !== choice.uri);
  const text = `${JSON.stringify([...others, choice], undefined, 2)}\n`;
  await writeFile(`${folder.onlineKeys}.tmp`, text, { mode: 0o600, flush: true });
  await rename(`${folder.onlineKeys}.tmp`, folder.onlineKeys);
}

function withWholePath(text: string, schemes: readonly string[]): string {
  const scheme = schemes.find((known) => text.startsWith(known));
  if (scheme === undefined) return text;
  const [path = '', ...rest] = text.slice(scheme.length).split('#');
  return [`${scheme}${resolve(path)}`, ...rest].join('#');
}

async function keysElsewhere({ onlineKeys: path }: DataFolder): Promise<readonly KeyChoice[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '[]';
    throw error;
  });
  try {
    return keysFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new CliError(
      'failure',
      `${path} is no list of keys: [{"uri": "…", "secret": "file:PATH"}].`,
      ['rind ceremony online-key --key URI writes it'],
      { cause },
    );
  }
}
