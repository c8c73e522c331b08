import { randomBytes } from 'node:crypto';
import { addFileOnce, exists, readBounded } from '../ceremony/durable-folder.ts';
import { EventFolder } from '../ceremony/event-folder.ts';
import { isOfflineRole } from '../ceremony/candidate.ts';
import { statusLines } from '../ceremony/paper-record.ts';
import { acceptInvitation, encodeInvitation, readInvitation } from '../ceremony/public-key-file.ts';
import { generatePrivateKey } from '../keys/key-signer.ts';
import { openSigner } from '../keys/key-uri.ts';
import type { SecretSource } from '../keys/opened-signer.ts';
import { writePrivateKeyFile } from '../keys/private-key-file.ts';
import { parseSecretSource } from '../keys/secret-source.ts';
import { askNewOnTerminal } from '../keys/terminal-secret.ts';
import { CliError } from './cli-error.ts';
import type { InviteOptions } from './commands/event.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** `rind event status` */
export async function showStatus(path: string, asJson: boolean): Promise<ExitCode> {
  const { event } = await EventFolder.open(path);
  const status = await event.status(new Date());
  if (asJson)
    print(JSON.stringify({ event: event.id, deadline: event.candidate.deadline, ...status }, undefined, 2));
  else for (const line of [`event ${event.id}`, ...statusLines(event, status)]) print(line);
  return EXIT.ok;
}

/** `rind event merge` */
export async function mergeCopies(path: string, copies: readonly string[]): Promise<ExitCode> {
  for (const copy of copies) {
    const added = await (await EventFolder.open(path)).merge(await EventFolder.open(copy), new Date());
    say(`${copy}: ${added} new ${added === 1 ? 'signature' : 'signatures'}`);
  }
  return showStatus(path, false);
}

/** `rind event invite` */
export async function invite({ holder, role, out }: InviteOptions): Promise<ExitCode> {
  if (!isOfflineRole(role)) throw new CliError('usage', `"${role}" is no role that people sign.`);
  await writeNew(out, encodeInvitation({ holder, role, nonce: randomBytes(16).toString('hex') }));
  say(`send ${out} to ${holder}; the answer goes into the plan as public-key`);
  return EXIT.ok;
}

/** `rind event accept` */
export async function accept(
  path: string,
  { key, out, secret }: { readonly key: string; readonly out: string; readonly secret: string },
): Promise<ExitCode> {
  const invitation = readInvitation(await readBounded(path));
  say(`${invitation.holder} is invited to hold a key of ${invitation.role}`);
  const source = await ensureKeyFile(key, secret);
  const signer = await openSigner(key, { secret: source });
  try {
    await writeNew(out, await acceptInvitation(invitation, signer));
    print(`key ${signer.key.keyId}`);
    say(`send ${out} back; tell the key id by another way, too`);
  } finally {
    await signer.close();
  }
  return EXIT.ok;
}

/** Makes the key file that does not exist yet. */
async function ensureKeyFile(uri: string, secret: string): Promise<SecretSource> {
  const source = parseSecretSource(secret);
  const path = uri.startsWith('file2:') ? uri.slice('file2:'.length) : undefined;
  if (path === undefined || (await exists(path))) return source;
  const passphrase =
    secret === 'terminal'
      ? await askNewOnTerminal(`the key file ${path}`)
      : await source({ kind: 'passphrase', uri, subject: `the key file ${path}` });
  await writePrivateKeyFile(path, await generatePrivateKey('ed25519'), passphrase);
  say(`made ${path}; keep it and its passphrase apart, and keep a copy of both`);
  return async () => passphrase;
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  if ((await addFileOnce(path, bytes)) === 'exists')
    throw new CliError('failure', `${path} exists and is never overwritten.`, [
      'name another file with --out',
    ]);
}
