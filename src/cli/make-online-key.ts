import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { encodePublicKey } from '../ceremony/public-key-file.ts';
import { addFileOnce, exists } from '../ceremony/durable-folder.ts';
import type { KeyChoice } from '../keys/key-choice.ts';
import { generatePrivateKey, KeySigner } from '../keys/key-signer.ts';
import { openSigner } from '../keys/key-uri.ts';
import { generatePassphrase, readSecretFile, writeSecretFile } from '../keys/passphrase.ts';
import { readPrivateKeyFile, writePrivateKeyFile } from '../keys/private-key-file.ts';
import { noSecret, parseSecretSource } from '../keys/secret-source.ts';
import { checkedIndexName } from '../registry/indexes.ts';
import type { Signer } from '../tuf/signer.ts';
import { CliError } from './cli-error.ts';
import type { OnlineKeyOptions } from './commands/ceremony.ts';
import { folderOfIndex, onlineKeyFiles, openDataFolder, type DataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { addOnlineKey } from './online-keys.ts';
import { print, say } from './terminal.ts';

/** `rind ceremony online-key`: the private half never leaves the server. */
export async function makeOnlineKey(options: OnlineKeyOptions): Promise<ExitCode> {
  const folder = folderOfIndex(await openDataFolder(options.data), checkedIndexName(options.index ?? ''));
  await mkdir(dirname(folder.onlineKey), { recursive: true, mode: 0o700 });
  const files = await onlineKeyFiles(folder);
  const signer =
    options.key !== undefined
      ? await takeKey(folder, { uri: options.key, secret: options.secret })
      : files.length === 0 || options.another === true
        ? await makeKey(folder, files.length)
        : await lastKey(folder, files);
  if ((await addFileOnce(options.out, encodePublicKey(signer.key))) === 'exists')
    throw new CliError('failure', `${options.out} exists and is never overwritten.`, [
      'name another file with --out',
    ]);
  print(`key ${signer.key.keyId}`);
  say(`${options.out} goes into the plan, under [[online.keys]], as public-key`);
  return EXIT.ok;
}

async function makeKey(folder: DataFolder, count: number): Promise<KeySigner> {
  if (!(await exists(folder.onlinePassphrase)))
    await writeSecretFile(folder.onlinePassphrase, generatePassphrase());
  const path = count === 0 ? folder.onlineKey : folder.onlineKey.replace(/\.json$/, `-${count + 1}.json`);
  const privateKey = await generatePrivateKey('ed25519');
  await writePrivateKeyFile(path, privateKey, await readSecretFile(folder.onlinePassphrase));
  say(`made ${path}; a running server reads it at its next start`);
  return KeySigner.fromPrivateKey(privateKey);
}

/** A token, a service or a signer process holds the key: it must sign now, and is written down for every later start. */
async function takeKey(folder: DataFolder, choice: KeyChoice): Promise<Signer> {
  const source = choice.secret === undefined ? noSecret : parseSecretSource(choice.secret);
  const signer = await openSigner(choice.uri, { secret: source });
  await signer.close();
  await addOnlineKey(folder, choice);
  say(`${choice.uri} is an online key of ${folder.path}; a running server takes it at its next start`);
  return signer;
}

async function lastKey(folder: DataFolder, files: readonly string[]): Promise<KeySigner> {
  return readPrivateKeyFile(files.at(-1) ?? folder.onlineKey, await readSecretFile(folder.onlinePassphrase));
}
