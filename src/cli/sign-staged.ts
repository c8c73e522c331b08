import { createHash } from 'node:crypto';
import { nextPage } from '../claims/next-page.ts';
import { pageTargets } from '../claims/page-targets.ts';
import { parseTransaction, type ProjectChange, type SignedTransaction } from '../claims/transaction-form.ts';
import { addSignature, Metadata } from '../tuf/metadata.ts';
import type { Targets } from '../tuf/targets.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { confirm, confirmPresent } from './confirm-present.ts';
import {
  lookAtIt,
  rememberVouched,
  signAndSend,
  withSigning,
  withStagedFiles,
  type Signing,
  type SigningOptions,
} from './project-signing.ts';
import { partiesOf, requireProposed } from './proposal-check.ts';
import { signersOf } from './signed-change.ts';
import { say } from './terminal.ts';

/** `rind sign PROJECT`: signs what others propose, then what was uploaded and waits; with `renew` what is there, anew. */
export function signProject(
  name: string,
  options: SigningOptions & { readonly renew?: boolean },
): Promise<ExitCode> {
  return withSigning(name, options, async (signing) => {
    if (options.renew === true) return signAndSend(signing, { renews: true });
    const ids = await signing.client.proposals();
    for (const [position, id] of ids.entries()) {
      const transaction = parseTransaction(signing.project.page.name, await signing.client.proposal(id));
      // After one of them is applied the others are made on top of what is no more.
      if (isOnTop(transaction, signing.project))
        return cosign(signing, { id, later: ids.slice(position + 1) }, transaction);
      say(outdated(id));
    }
    return signStaged(signing);
  });
}

function outdated(id: string | number): string {
  return `proposal ${id} was made before the project changed; whoever made it has to sign anew`;
}

function isOnTop({ base }: SignedTransaction, { roles }: Signing['project']): boolean {
  return base.size === roles.size && [...roles].every(([role, { version }]) => base.get(role) === version);
}

async function signStaged(signing: Signing): Promise<ExitCode> {
  const { project, client, options } = signing;
  const listed = new Set(project.page.files.map(({ filename }) => filename));
  const staged = (await client.staged()).filter(({ filename }) => !listed.has(filename));
  if (staged.length === 0) {
    say(`nothing of ${project.page.name} waits for a signature`);
    return EXIT.ok;
  }
  const stagedBy = new Map(staged.map(({ filename, stagedBy: name = '?' }) => [filename, name]));
  return withStagedFiles(client, staged, new Date(), async (files) => {
    for (const { filename, length, sha256 } of files) {
      const by = stagedBy.get(filename.filename) ?? '?';
      say(`  ${filename.filename}  ${length} bytes  sha256 ${sha256}  uploaded by ${by}`);
    }
    say(
      'These files were uploaded by somebody with a token of the index, a CI job for instance. Compare them with what was built.',
    );
    if (!(await confirm('Sign them?', options))) {
      say('nothing was signed');
      return EXIT.failure;
    }
    return signAndSend(signing, { files: files.map(({ entry }) => entry) });
  });
}

/** Adds a signature to a proposal, after everything that it changes was made here once more and compared. */
async function cosign(
  { project, client, signer, options }: Signing,
  { id, later }: { readonly id: string | number; readonly later: readonly (string | number)[] },
  transaction: SignedTransaction,
): Promise<ExitCode> {
  const read = new Map(
    [...transaction.roles].map(([role, bytes]) => [role, Metadata.fromBytes(bytes, 'targets', { role })]),
  );
  return withStagedFiles(client, transaction.files, new Date(), async (local) => {
    const times = new Map(transaction.files.map(({ filename, uploadTime }) => [filename, uploadTime]));
    const files = local.map(({ entry }) => ({
      ...entry,
      uploadTime: times.get(entry.filename) ?? entry.uploadTime,
    }));
    const page = nextPage(project.page, files, transaction.changes);
    requireProposed(project, read, pageTargets(page).targets, new Date());
    show(project, transaction, read);
    const own = [signer.key.keyId];
    if (!(await confirmPresent(project, own, options)) || !(await confirm('Sign this proposal?', options))) {
      say('nothing was signed');
      return EXIT.failure;
    }
    const roles = new Map(transaction.roles);
    let mine = 0;
    for (const [role, metadata] of read) {
      if (!maySign(signer.key.keyId, role, project, read)) continue;
      roles.set(role, (await addSignature(metadata, signer, { role })).toBytes());
      mine += 1;
    }
    if (mine === 0)
      throw new CliError('failure', `The key ${signer.key.keyId} may sign nothing of this proposal.`);
    const missing = await client.cosign(id, { ...transaction, roles });
    await rememberVouched(project, { roles });
    if (missing.length === 0) {
      const looked = await lookAtIt(project, transaction, options);
      for (const other of later) say(outdated(other));
      return looked;
    }
    for (const { role, have, need } of missing) say(`${role}: ${have} of ${need} signatures`);
    say(`signed, and kept; the others sign it with: rind sign ${project.page.name}`);
    return EXIT.ok;
  });
}

function maySign(
  keyId: string,
  role: string,
  project: Signing['project'],
  read: ReadonlyMap<string, Metadata<Targets>>,
): boolean {
  const roles = new Map([...read].map(([name, { signed }]) => [name, signed]));
  return signersOf(role, { project, roles }).some(({ keys }) => keys.some((key) => key.keyId === keyId));
}

function show(
  project: Signing['project'],
  transaction: SignedTransaction,
  read: ReadonlyMap<string, Metadata<Targets>>,
): void {
  say(`Proposal for ${project.page.name}:`);
  for (const { filename, sha256 } of transaction.files) say(`  publish  ${filename}  sha256 ${sha256}`);
  for (const change of transaction.changes)
    say(`  ${change.kind}  ${'filename' in change ? change.filename : change.status}${reasonOf(change)}`);
  for (const { party, before, after } of partiesOf(project, read)) {
    const old = new Set(before?.keys.map(({ keyId }) => keyId) ?? []);
    const next = new Set(after?.keys.map(({ keyId }) => keyId) ?? []);
    for (const keyId of next) say(`  ${party}  ${keyId}${old.has(keyId) ? '' : '  (new)'}`);
    for (const keyId of old) if (!next.has(keyId)) say(`  ${party}  ${keyId}  (taken away)`);
    if (after !== undefined) say(`  ${party} threshold  ${after.threshold}`);
  }
  for (const [role, metadata] of read) {
    const digest = createHash('sha256').update(metadata.signedBytes).digest('hex');
    const { version, expires } = metadata.signed;
    say(`  ${role} version ${version}, until ${expires.toISOString()}, sha256 of what is signed ${digest}`);
  }
}

function reasonOf(change: ProjectChange): string {
  return 'reason' in change && change.reason !== null ? `  ${JSON.stringify(change.reason)}` : '';
}
