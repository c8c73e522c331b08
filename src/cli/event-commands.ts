import { randomBytes } from 'node:crypto';
import { addFileOnce, exists, readBounded } from '../ceremony/durable-folder.ts';
import { EventFolder } from '../ceremony/event-folder.ts';
import { isSignedRole } from '../ceremony/candidate.ts';
import { statusLines } from '../ceremony/paper-record.ts';
import { acceptInvitation, encodeInvitation, readInvitation } from '../ceremony/public-key-file.ts';
import { generatePrivateKey } from '../keys/key-signer.ts';
import { openSigner } from '../keys/key-uri.ts';
import type { SecretSource } from '../keys/opened-signer.ts';
import { writePrivateKeyFile } from '../keys/private-key-file.ts';
import { parseSecretSource } from '../keys/secret-source.ts';
import { askNewOnTerminal } from '../keys/terminal-secret.ts';
import { CliError } from './cli-error.ts';
import type { AcceptOptions, InviteOptions, StatusOptions } from './commands/event.ts';
import { EventClient } from './event-client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { showRemoteStatus } from './remote-events.ts';
import { print, say } from './terminal.ts';

/** `rind event status` */
export async function showStatus(
  path: string | undefined,
  { json = false, index, token }: Partial<StatusOptions>,
): Promise<ExitCode> {
  if (index !== undefined) return showRemoteStatus(path, { index, token: token ?? 'terminal' }, json);
  if (path === undefined)
    throw new CliError('usage', 'Name the folder of the event, or a running index with --index URL.');
  const { event } = await EventFolder.open(path);
  const status = await event.status(new Date());
  if (json)
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
  return showStatus(path, {});
}

/** `rind event invite` */
export async function invite({ holder, role, out, index, token }: InviteOptions): Promise<ExitCode> {
  if (!isSignedRole(role)) throw new CliError('usage', `"${role}" is no role that people sign.`);
  if (index !== undefined) {
    const { nonce } = await new EventClient({ index, token }).invite(holder, role);
    print(nonce);
    say(`tell ${holder}: rind event accept ${nonce} --index ${index} --key URI`);
    return EXIT.ok;
  }
  const file = requireOut(out);
  await writeNew(file, encodeInvitation({ holder, role, nonce: randomBytes(16).toString('hex') }));
  say(`send ${file} to ${holder}; the answer goes into the plan as public-key`);
  return EXIT.ok;
}

/** `rind event accept` */
export async function accept(path: string, options: AcceptOptions): Promise<ExitCode> {
  const { key, secret, index, token } = options;
  const client = index === undefined ? undefined : new EventClient({ index, token });
  const invitation = readInvitation(
    client === undefined ? await readBounded(path) : await remoteInvitation(client, path),
  );
  const out = client === undefined ? requireOut(options.out) : options.out;
  say(`${invitation.holder} is invited to hold a key of ${invitation.role}`);
  const source = await ensureKeyFile(key, secret);
  const signer = await openSigner(key, { secret: source });
  try {
    const acceptance = await acceptInvitation(invitation, signer);
    if (out !== undefined) await writeNew(out, acceptance);
    await client?.accept(invitation.nonce, acceptance);
    print(`key ${signer.key.keyId}`);
    say(`${client === undefined ? `send ${out ?? ''} back; tell` : 'tell'} the key id by another way, too`);
  } finally {
    await signer.close();
  }
  return EXIT.ok;
}

async function remoteInvitation(client: EventClient, nonce: string): Promise<Uint8Array> {
  const found = await client.invitation(nonce);
  return new Uint8Array(Buffer.from(found.invitation, 'base64'));
}

function requireOut(out: string | undefined): string {
  if (out !== undefined) return out;
  throw new CliError('usage', 'Name the file to write with --out FILE, or a running index with --index URL.');
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
