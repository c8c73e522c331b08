import { basename, dirname, resolve } from 'node:path';
import { verifyBundle } from '../ceremony/bundle.ts';
import { readBounded, readFolder, writeFolderOnce } from '../ceremony/durable-folder.ts';
import { OFFLINE_ROLES, parsePlan } from '../ceremony/plan.ts';
import { CliError } from './cli-error.ts';
import type { BackupOptions } from './commands/ceremony.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { say } from './terminal.ts';

/** `rind ceremony backup`. One-time keys are in no backup: they are gone. */
export async function backUp(path: string, { out, onlineOnly = false }: BackupOptions): Promise<ExitCode> {
  await verifyBundle(path);
  const files = new Map(await readFolder(path));
  if (onlineOnly) {
    const online = new Map([...files].filter(([name]) => name.startsWith('metadata/')));
    await writeFolderOnce(out, online);
    say(`${out} holds ${online.size} signed metadata files and no key`);
    return EXIT.ok;
  }
  let keys = 0;
  const plan = files.get('plan');
  for (const [name, bytes] of plan === undefined ? [] : await keyFiles(plan, dirname(resolve(path)))) {
    files.set(`keys/${name}`, bytes);
    keys += 1;
  }
  await writeFolderOnce(out, files);
  say(`${out} holds the bundle and ${keys} encrypted key files; keep their passphrases somewhere else`);
  return EXIT.ok;
}

/** The key files that the plan names, where they can be reached; as encrypted as they are. Throws CliError for one that is not. */
async function keyFiles(plan: Uint8Array, folder: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const { roles } = parsePlan(plan);
  const found = new Map<string, Uint8Array>();
  for (const role of OFFLINE_ROLES) {
    for (const { uri, holder = role } of roles[role].keys) {
      if (uri?.startsWith('file2:') !== true) continue;
      const path = resolve(folder, uri.slice('file2:'.length));
      const bytes = await readBounded(path);
      if (!/rind-private-key|ENCRYPTED PRIVATE KEY/.test(new TextDecoder('latin1').decode(bytes)))
        throw new CliError('failure', `${path} is not encrypted, and nothing else goes into a backup.`, [
          'encrypt it with a passphrase first',
        ]);
      found.set(
        `${role}.${holder.toLowerCase().replace(/[^a-z0-9-]/g, '-')}.${basename(path)
          .toLowerCase()
          .replace(/[^a-z0-9.-]/g, '-')}`,
        bytes,
      );
    }
  }
  return found;
}
