import { createHash } from 'node:crypto';
import { nextPage } from '../claims/next-page.ts';
import { parseProjectRoleName, projectRoleName } from '../claims/names.ts';
import { ownersOf } from '../claims/owners.ts';
import { pageTargets } from '../claims/page-targets.ts';
import { delegatedOwners } from '../claims/project-role.ts';
import { parseTransaction, type ProjectChange, type SignedTransaction } from '../claims/transaction-form.ts';
import { addSignature, Metadata } from '../tuf/metadata.ts';
import type { Targets } from '../tuf/targets.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { confirm, confirmPresent } from './confirm-present.ts';
import {
  rememberVouched,
  signAndSend,
  withSigning,
  withStagedFiles,
  type Signing,
  type SigningOptions,
} from './project-signing.ts';
import { partiesOf, requireProposed } from './proposal-check.ts';
import { say } from './terminal.ts';

/** `rind sign PROJECT`: signs what others propose, then what was uploaded and waits; with `renew` what is there, anew. */
export function signProject(
  name: string,
  options: SigningOptions & { readonly renew?: boolean },
): Promise<ExitCode> {
  return withSigning(name, options, async (signing) => {
    if (options.renew === true) return signAndSend(signing, { renews: true });
    for (const id of await signing.client.proposals()) {
      const transaction = parseTransaction(signing.project.page.name, await signing.client.proposal(id));
      // After one of them is applied the others are made on top of what is no more.
      if (isOnTop(transaction, signing.project)) return cosign(signing, id, transaction);
      say(`proposal ${id} was made before the project changed; whoever made it has to sign anew`);
    }
    return signStaged(signing);
  });
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
  return withStagedFiles(client, staged, new Date(), async (files) => {
    for (const { filename, length, sha256 } of files)
      say(`  ${filename.filename}  ${length} bytes  sha256 ${sha256}`);
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
  id: string | number,
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
    await client.cosign(id, { ...transaction, roles });
    await rememberVouched(project, { roles });
    say('signed');
    return EXIT.ok;
  });
}

function maySign(
  keyId: string,
  role: string,
  project: Signing['project'],
  read: ReadonlyMap<string, Metadata<Targets>>,
): boolean {
  const own = projectRoleName(project.page.name);
  const owned = read.get(own)?.signed ?? project.roles.get(own);
  const wished = owned === undefined ? undefined : ownersOf(owned);
  const groups =
    parseProjectRoleName(role)?.kind === 'project'
      ? [project.owners, wished]
      : [owned === undefined ? undefined : delegatedOwners(owned, role)];
  return groups.some((group) => group?.keys.some((key) => key.keyId === keyId) === true);
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
