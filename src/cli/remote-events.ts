import { join } from 'node:path';
import { addFileOnce, readFolder, writeFolderOnce } from '../ceremony/durable-folder.ts';
import { frozenFiles } from '../ceremony/event-box.ts';
import { EventFolder, filesBelow } from '../ceremony/event-folder.ts';
import { statusLines } from '../ceremony/paper-record.ts';
import { readPublicKeyFile } from '../ceremony/public-key-file.ts';
import { CliError } from './cli-error.ts';
import type { RemoteOptions } from './api-client.ts';
import { EventClient } from './event-client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** `rind event status --index`: every signature is verified here, whatever the index says about it. */
export async function showRemoteStatus(
  id: string | undefined,
  options: RemoteOptions,
  asJson: boolean,
): Promise<ExitCode> {
  const client = new EventClient(options);
  const ids = id === undefined ? (await client.list()).map((event) => event.id) : [id];
  const found = [];
  for (const one of ids) {
    const { event } = await EventFolder.fromFiles(options.index, await client.files(one));
    found.push({ event, status: await event.status(new Date()) });
  }
  if (asJson) {
    const list = found.map(({ event, status }) => ({ event: event.id, deadline: event.candidate.deadline, ...status })); // prettier-ignore
    print(JSON.stringify(id === undefined ? list : list[0], undefined, 2));
    return EXIT.ok;
  }
  for (const { event, status } of found)
    for (const line of [`event ${event.id}`, ...statusLines(event, status)]) print(line);
  if (found.length === 0) say('no signing event is offered there');
  return EXIT.ok;
}

/** `rind event offer` */
export async function offer(path: string, options: RemoteOptions): Promise<ExitCode> {
  const files = await readFolder(path);
  const { event } = await EventFolder.fromFiles(path, files);
  const signed = [...files].filter(([name]) => /^(?:signatures|minutes)\//.test(name));
  await new EventClient(options).offer(new Map([...frozenFiles(files), ...signed]));
  print(event.id);
  say(`signers: rind sign ${event.id.slice(0, 12)} --index ${options.index} --key URI --trusted ROOT`);
  return EXIT.ok;
}

/** `rind event fetch` */
export async function fetchEvent(
  id: string | undefined,
  options: RemoteOptions & { readonly out: string },
): Promise<ExitCode> {
  const client = new EventClient(options);
  const fetched = await client.files((await client.event(id)).id);
  const { event } = await EventFolder.fromFiles(options.index, fetched);
  // Sealed anew from what verifies, so that nothing else of what was sent gets to the disk.
  const kept = new Map(frozenFiles(fetched));
  for (const below of ['signatures/', 'minutes/'])
    for (const [name, bytes] of filesBelow(fetched, below)) {
      if (!/^[a-z0-9][a-z0-9._-]{0,200}$/.test(name))
        throw new CliError('verification', `The index sent a file with the name ${JSON.stringify(name)}; nothing was written.`); // prettier-ignore
      kept.set(`${below}${name}`, bytes);
    }
  await writeFolderOnce(options.out, kept);
  const status = await (await EventFolder.open(options.out)).sealWhenComplete(new Date());
  for (const line of [`event ${event.id}`, ...statusLines(event, status)]) print(line);
  return EXIT.ok;
}

/** `rind event invitations` */
export async function showInvitations(options: RemoteOptions & { readonly out?: string }): Promise<ExitCode> {
  for (const { nonce, holder, role, acceptance } of await new EventClient(options).invitations()) {
    if (acceptance === null) {
      print(`${nonce} ${role} ${holder}: open`);
      continue;
    }
    const bytes = new Uint8Array(Buffer.from(acceptance, 'base64'));
    const { key, invitation } = await readPublicKeyFile(bytes);
    if (invitation?.nonce !== nonce || invitation.holder !== holder)
      throw new CliError('verification', `The index gives an answer to another invitation for ${nonce}.`);
    print(`${nonce} ${role} ${holder}: key ${key.keyId}`);
    if (options.out !== undefined) await addFileOnce(join(options.out, `${nonce}.json`), bytes);
  }
  return EXIT.ok;
}
