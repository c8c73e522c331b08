import { encodePublicKey } from '../ceremony/public-key-file.ts';
import { addFileOnce, exists } from '../ceremony/durable-folder.ts';
import { generatePrivateKey, KeySigner } from '../keys/key-signer.ts';
import { generatePassphrase, readSecretFile, writeSecretFile } from '../keys/passphrase.ts';
import { readPrivateKeyFile, writePrivateKeyFile } from '../keys/private-key-file.ts';
import { CliError } from './cli-error.ts';
import { onlineKeyFiles, openDataFolder, type DataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** `rind ceremony online-key`: the private half never leaves the server. */
export async function makeOnlineKey(options: {
  readonly data: string;
  readonly out: string;
  readonly another?: boolean;
}): Promise<ExitCode> {
  const folder = await openDataFolder(options.data);
  const files = await onlineKeyFiles(folder);
  const signer =
    files.length === 0 || options.another === true
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

async function lastKey(folder: DataFolder, files: readonly string[]): Promise<KeySigner> {
  return readPrivateKeyFile(files.at(-1) ?? folder.onlineKey, await readSecretFile(folder.onlinePassphrase));
}
