import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ClaimError } from '../claims/errors.ts';
import type { SignedTransaction } from '../claims/transaction-form.ts';
import { FormatError } from '../pypi/errors.ts';
import { normalizeProjectName } from '../pypi/project-name.ts';
import type { PageFile } from '../pypi/simple.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Signer } from '../tuf/signer.ts';
import type { RemoteOptions } from './api-client.ts';
import { builderTransaction, isBuilder } from './builder-wheels.ts';
import { ClaimClient } from './claim-client.ts';
import { CliError } from './cli-error.ts';
import { confirm, confirmPresent, type Confirmation } from './confirm-present.ts';
import { openDeveloperKey, type DeveloperKeyOptions } from './developer-key.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { readLocalDistribution, type LocalDistribution } from './local-distribution.ts';
import { chooseIndex, openTrustStore } from './open-index.ts';
import { prepareTransaction, type SignedChange } from './signed-change.ts';
import { rememberSigned } from './signed-before.ts';
import { print, say } from './terminal.ts';
import { withVerifiedProject, type VerifiedProject } from './verified-project.ts';

/** What every command that signs for a project is told. */
export interface SigningOptions extends DeveloperKeyOptions, Confirmation {
  /** An index that is trusted here; may be left out when there is only one. */
  readonly index?: string | undefined;
  readonly token: string;
  readonly json?: boolean;
}

/** A project whose present state is verified, the index to talk to, and the key to sign with. */
export interface Signing {
  readonly project: VerifiedProject;
  readonly client: ClaimClient;
  readonly signer: Signer;
  readonly options: SigningOptions;
}

/** Opens everything that signing needs, in the order in which it can fail without asking for anything. */
export async function withSigning(
  name: string,
  options: SigningOptions,
  work: (signing: Signing) => Promise<ExitCode>,
): Promise<ExitCode> {
  const project = normalizeProjectName(name);
  const { url } = await chooseIndex(openTrustStore(), options.index);
  const remote: RemoteOptions = { index: url, token: options.token };
  return withVerifiedProject({ index: url, project, allowsExpired: true }, async (verified) => {
    const signer = await openDeveloperKey(options);
    try {
      return await work({ project: verified, client: new ClaimClient(project, remote), signer, options });
    } finally {
      await signer.close();
    }
  });
}

/** Signs a change, sends it, and looks whether everybody can see and verify it: the index's word is not taken for that. */
export async function signAndSend(
  { project, client, signer, options }: Signing,
  change: SignedChange,
  others: readonly Signer[] = [],
): Promise<ExitCode> {
  if (!(await confirmPresent(project, [signer.key.keyId], options))) {
    say('nothing was signed');
    return EXIT.failure;
  }
  const { transaction, missing } = await prepareTransaction(project, change, [signer, ...others], new Date());
  await client.send(transaction, missing.length > 0);
  if (missing.length === 0) return lookAtIt(project, transaction, options);
  for (const line of missing) say(line);
  await rememberVouched(project, transaction);
  say(`kept as a proposal; the others sign it with: rind sign ${project.page.name}`);
  return EXIT.ok;
}

/** Whether everybody can see and verify what was sent, as any client would look. @throws {CliError} */
export async function lookAtIt(
  project: VerifiedProject,
  transaction: SignedTransaction,
  options: SigningOptions,
): Promise<ExitCode> {
  const name = project.page.name;
  await withVerifiedProject({ index: project.url, project: name }, async (after) => {
    for (const [role, bytes] of transaction.roles) {
      const version = (transaction.base.get(role) ?? 0) + 1;
      if ((after.roles.get(role)?.version ?? 0) >= version) continue;
      throw new CliError(
        'failure',
        `The index took the ${bytes.length} bytes of ${role}, but does not show its version ${version} yet.`,
        ['look again in a moment: rind inspect'],
      );
    }
    // What cannot be remembered is shown once more the next time.
    await rememberSigned(after).catch(() => undefined);
    if (options.json === true) print(JSON.stringify(outcomeOf(after)));
    else say(`public and verified: ${name} is ${after.standing}, ${versionsOf(after)}`);
  });
  return EXIT.ok;
}

/** What this machine signed and others have to sign too: the keys that it brings are no strangers the next time. */
export async function rememberVouched(
  project: VerifiedProject,
  transaction: Pick<SignedTransaction, 'roles'>,
): Promise<void> {
  const roles = new Map(project.roles);
  for (const [role, bytes] of transaction.roles)
    roles.set(role, Metadata.fromBytes(bytes, 'targets', { role }).signed);
  // What cannot be remembered is shown once more the next time.
  await rememberSigned({ ...project, roles }).catch(() => undefined);
}

function outcomeOf({ page, standing, roles, owners }: VerifiedProject): object {
  return {
    project: page.name,
    standing,
    roles: Object.fromEntries([...roles].map(([role, { version }]) => [role, version])),
    keys: owners?.keys.map(({ keyId }) => keyId) ?? [],
    threshold: owners?.threshold ?? null,
    files: page.files.length,
  };
}

function versionsOf({ roles }: VerifiedProject): string {
  return [...roles].map(([role, { version }]) => `${role} version ${version}`).join(', ');
}

/** `rind claim`: signs what the project has now, with a key of this machine. */
export function claimProject(
  name: string,
  options: SigningOptions & { readonly threshold: number; readonly dist?: string },
): Promise<ExitCode> {
  return withSigning(name, options, async (signing) => {
    const { project, signer, client } = signing;
    if (project.standing !== 'unclaimed')
      throw new CliError('usage', `${project.page.name} is ${project.standing} already.`, [
        'add a key: rind key add',
      ]);
    await showFiles(project, options.dist);
    say(`your key: ${signer.key.keyId}`);
    if (!(await confirm(`Are these files of ${project.page.name} yours, and do you sign them?`, options))) {
      say('nothing was signed');
      return EXIT.failure;
    }
    const { roles } = await client.claim();
    return signAndSend(signing, {
      owners: { keys: [signer.key], threshold: options.threshold },
      past: new Map(Object.entries(roles)),
    });
  });
}

/** Each file fetched and verified; compared with those in `folder` where there are any of the same name. */
async function showFiles(project: VerifiedProject, folder: string | undefined): Promise<void> {
  const local = folder === undefined ? new Map<string, LocalDistribution>() : await distributionsIn(folder);
  for (const file of project.page.files) {
    const { filename, sha256, size } = file;
    const target = await project.target(filename);
    if (target === undefined || target.hashes.get('sha256') !== sha256)
      throw new CliError(
        'verification',
        `${filename} stands on the page, but is not signed as it stands there.`,
      );
    await requireOwnMetadata(file, await project.bytes(target, size));
    const mine = local.get(filename);
    if (mine !== undefined && mine.sha256 !== sha256)
      throw new CliError(
        'verification',
        `${filename} on the index is not the file in ${folder ?? ''}: ${sha256} there, ${mine.sha256} here.`,
        ['do not sign it; tell the administrators of the index'],
      );
    say(`  ${filename}  ${size} bytes  sha256 ${sha256}${mine === undefined ? '' : '  same as yours'}`);
  }
}

/**
 * What the page says of a file is signed with it, and resolvers believe that in the file's place: it has to be what stands in the file.
 * @throws {CliError}
 */
export async function requireOwnMetadata(listed: PageFile, bytes: Uint8Array): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rind-claimed-'));
  try {
    const path = join(folder, basename(listed.filename));
    await writeFile(path, bytes, { mode: 0o600 });
    const { entry, metadataSha256 } = await readLocalDistribution(path, new Date());
    const isOwn =
      entry.requiresPython === listed.requiresPython &&
      (listed.coreMetadataSha256 === undefined || listed.coreMetadataSha256 === metadataSha256);
    if (isOwn) return;
    throw new CliError(
      'verification',
      `The page of the index says of ${listed.filename} what does not stand in it: other core metadata, or another Requires-Python.`,
      ['do not sign it; tell the administrators of the index'],
    );
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    say(
      `  ${listed.filename} is too old in its form to be inspected here: what the page says of it is signed unseen`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function distributionsIn(folder: string): Promise<ReadonlyMap<string, LocalDistribution>> {
  const found = new Map<string, LocalDistribution>();
  for (const name of await readdir(folder)) {
    if (/\.(whl|tar\.gz)$/.test(name))
      found.set(name, await readLocalDistribution(join(folder, name), new Date()));
  }
  return found;
}

/** `rind publish`: the files become public, signed here; all of them or none. */
export async function publishFiles(paths: readonly string[], options: SigningOptions): Promise<ExitCode> {
  const now = new Date();
  const files: LocalDistribution[] = [];
  for (const path of paths) files.push(await readLocalDistribution(path, now));
  const names = [...new Set(files.map(({ filename }) => filename.project))];
  const [name] = names;
  if (name === undefined || names.length > 1)
    throw new CliError('usage', `One project is published at a time, not ${names.join(' and ') || 'none'}.`);
  return withSigning(name, options, async (signing) => {
    const { project, client } = signing;
    if (project.standing === 'unclaimed')
      throw new CliError('usage', `${name} is not claimed: nobody's signature is asked for it.`, [
        `claim it first: rind claim ${name}`,
        'or upload it with twine or uv',
      ]);
    const isThere = new Set(project.page.files.map(({ filename, sha256 }) => `${sha256} ${filename}`));
    const fresh = files.filter(({ filename, sha256 }) => !isThere.has(`${sha256} ${filename.filename}`));
    if (fresh.length === 0) {
      say('all of these files are public already');
      return EXIT.ok;
    }
    const isBuilt = isBuilder(project, signing.signer.key.keyId);
    // Whatever would be refused is refused before anything is sent.
    if (isBuilt) await builderTransaction(project, fresh, signing.signer, now);
    else await prepareTransaction(project, { files: fresh.map(({ entry }) => entry) }, [signing.signer], now);
    for (const file of fresh) {
      say(`  ${file.filename.filename}  ${file.length} bytes  sha256 ${file.sha256}`);
      await client.stage(file);
    }
    if (!isBuilt) return signAndSend(signing, { files: fresh.map(({ entry }) => entry) });
    const transaction = await builderTransaction(project, fresh, signing.signer, now);
    await client.send(transaction, false);
    const looked = await lookAtIt(project, transaction, options);
    say(`signed by the builder; on the page as soon as an owner signs it: rind sign ${name}`);
    return looked;
  });
}

/** Staged files, fetched and inspected here. The folder is gone when `work` ends. */
export async function withStagedFiles<T>(
  client: ClaimClient,
  wanted: readonly { readonly filename: string; readonly sha256: string }[],
  now: Date,
  work: (files: readonly LocalDistribution[]) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'rind-staged-'));
  try {
    const provenances = new Map(
      (await client.staged()).map(({ filename, provenance }) => [filename, provenance]),
    );
    const files: LocalDistribution[] = [];
    for (const { filename, sha256 } of wanted) {
      if (/[\\/]/.test(filename))
        throw new CliError('failure', `The index names a file ${JSON.stringify(filename)}.`);
      const path = join(folder, filename);
      await writeFile(path, await client.stagedBytes(filename), { mode: 0o600 });
      const file = await readLocalDistribution(path, now);
      if (file.sha256 !== sha256)
        throw new ClaimError(
          'FILES',
          `${filename} is staged with the sha256 ${file.sha256}, not ${sha256}.`,
          { path: filename },
        );
      files.push(withProvenance(file, provenances.get(filename)));
    }
    return await work(files);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * The index makes the address of attestations; what stands there is verified by whoever reads it. Only its form is believed: what is signed
 * stands on the page for everybody.
 */
export function withProvenance(
  file: LocalDistribution,
  provenance: string | null | undefined,
): LocalDistribution {
  if (provenance === null || provenance === undefined) return file;
  const { project, version, filename } = file.filename;
  const end = `/integrity/${project}/${encodeURIComponent(version)}/${encodeURIComponent(filename)}/provenance`;
  const url = URL.canParse(provenance) ? new URL(provenance) : undefined;
  const isProper =
    url?.href === provenance &&
    ['https:', 'http:'].includes(url.protocol) &&
    url.username + url.password + url.search + url.hash === '' &&
    url.pathname.endsWith(end);
  if (isProper) return { ...file, entry: { ...file.entry, provenance } };
  throw new CliError(
    'verification',
    `The index wants ${JSON.stringify(provenance.slice(0, 200))} signed as the place of attestations of ${filename}, which is none.`,
  );
}
