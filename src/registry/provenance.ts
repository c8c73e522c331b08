import { findClaims } from '../db/claims.ts';
import { appendJournal } from '../db/journal.ts';
import { findFile } from '../db/files.ts';
import { provenancesElsewhere, findProvenance, setProvenanceUrl } from '../db/provenances.ts';
import { publishersOfIndex } from '../db/publishers.ts';
import type { Executor } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { canonicalVersion, isValidVersion } from '../pypi/version.ts';
import { readAttestations, refusal, requireSubject } from './attestation.ts';
import type { AttestationVerifier, AttestedIdentity } from './attestation-verifier.ts';
import type { Principal } from './principal.ts';
import type { PublisherRule } from './publisher-rule.ts';

/** The file that attestations came with. */
export interface AttestedFile {
  readonly project: string;
  readonly filename: string;
  readonly sha256: string;
}

/**
 * Verifies the attestations of an upload and makes the provenance object of the file (PEP 740), JSON text. As on PyPI they are taken from
 * trusted publishing only, and each must be signed by the very workflow that the project trusts.
 *
 * @throws RegistryError INVALID_FORM
 */
export async function provenanceOf(
  context: {
    readonly db: Executor;
    readonly index: { readonly id: number };
    readonly attestations?: AttestationVerifier | undefined;
  },
  principal: Principal,
  text: string,
  file: AttestedFile,
): Promise<string> {
  const { db, index, attestations: verifier } = context;
  if (verifier === undefined) {
    throw refusal('this index verifies none; upload without them (twine: without --attestations)');
  }
  if (principal.kind !== 'oidc') {
    throw refusal(
      'they are taken from trusted publishing only, because they name the workflow that published',
    );
  }
  const attestations = readAttestations(text);
  const rules = (await publishersOfIndex(db, index.id, file.project))
    .filter(({ issuer }) => issuer === principal.issuer)
    .map(({ claims }) => JSON.parse(claims) as PublisherRule);
  let trusted: PublisherRule | undefined;
  for (const attestation of attestations) {
    requireSubject(attestation, file);
    const identity = await verifier.verify(attestation);
    const host = new URL(principal.issuer).host;
    trusted = rules.find((rule) => isWorkflow(rule, identity, principal.issuer, host));
    if (trusted === undefined) throw refusal('one is signed by a workflow that this project does not trust');
  }
  const publisher = trusted === undefined ? null : publisherJson(trusted);
  return JSON.stringify({ version: 1, attestation_bundles: [{ publisher, attestations }] });
}

/** Whether the certified identity is the workflow of a publisher. Names of owners and repositories differ in no more than case. */
export function isWorkflow(
  rule: PublisherRule,
  identity: AttestedIdentity,
  issuer: string,
  host: string,
): boolean {
  if (identity.issuer !== issuer || rule.kind === 'claims') return false;
  const [repository, file] =
    rule.kind === 'github'
      ? [`https://github.com/${rule.owner}/${rule.repository}`, `/.github/workflows/${rule.workflow}@`]
      : [`https://${host}/${rule.namespace}/${rule.project}`, `//${rule.workflow}@`];
  const { subject } = identity;
  return (
    subject.slice(0, repository.length).toLowerCase() === repository.toLowerCase() &&
    subject.slice(repository.length).startsWith(file) &&
    subject.length > repository.length + file.length
  );
}

function publisherJson(rule: PublisherRule): object | null {
  switch (rule.kind) {
    case 'github':
      return {
        kind: 'GitHub',
        repository: `${rule.owner}/${rule.repository}`,
        workflow: rule.workflow,
        environment: rule.environment ?? null,
      };
    case 'gitlab':
      return {
        kind: 'GitLab',
        repository: `${rule.namespace}/${rule.project}`,
        workflow_filepath: rule.workflow,
        environment: rule.environment ?? null,
      };
    case 'claims':
      return null;
  }
}

/** Where the provenance of a file is served, absolute, because pages say it. `indexUrl` with its last `/`. */
export function provenanceUrl(
  indexUrl: string,
  {
    project,
    version,
    filename,
  }: { readonly project: string; readonly version: string; readonly filename: string },
): string {
  return `${indexUrl}integrity/${project}/${encodeURIComponent(version)}/${encodeURIComponent(filename)}/provenance`;
}

/** The provenance object of a public file, JSON text; undefined when there is none, or not at that place. */
export async function publishedProvenance(
  db: Executor,
  index: { readonly id: number },
  place: { readonly project: string; readonly version: string; readonly filename: string },
): Promise<string | undefined> {
  const file = await findFile(db, index.id, place.filename);
  if (file === undefined || file.removed_at !== null || !isValidVersion(place.version)) return undefined;
  if (canonicalVersion(file.version) !== canonicalVersion(place.version)) return undefined;
  const project = await db
    .selectFrom('projects')
    .select(['name', 'last_serial'])
    .where('id', '=', file.project_id)
    .executeTakeFirst();
  if (project?.name !== place.project || project.last_serial === 0) return undefined;
  return findProvenance(db, file.id);
}

/**
 * Says the address of every provenance object anew when the server's public URL changed: pages are signed, so their projects are published
 * again. Returns how many files it was.
 */
export async function moveProvenances(
  context: {
    readonly db: Executor;
    readonly index: { readonly id: number; readonly name: string };
    readonly clock: () => Date;
  },
  indexUrl: string,
): Promise<number> {
  const { db, index, clock } = context;
  if ((await ownProvenancesElsewhere(db, index.id, indexUrl)).length === 0) return 0;
  return writeTransaction(db, async (tx) => {
    const files = await ownProvenancesElsewhere(tx, index.id, indexUrl);
    for (const { id, provenance_url } of files) {
      const path = /integrity\/[^/]+\/[^/]+\/[^/]+\/provenance$/.exec(provenance_url ?? '')?.[0];
      if (path !== undefined) await setProvenanceUrl(tx, id, indexUrl + path);
    }
    const now = clock();
    for (const projectId of new Set(files.map(({ project_id }) => project_id))) {
      const detail = { reason: 'public-url' };
      await appendJournal(tx, { indexId: index.id, projectId, kind: 'render', detail, now });
    }
    return files.length;
  });
}

/** Those of the pages that the index signs; the owners of a claimed project say a new address with their next release. */
async function ownProvenancesElsewhere(
  db: Executor,
  indexId: number,
  indexUrl: string,
): ReturnType<typeof provenancesElsewhere> {
  const files = await provenancesElsewhere(db, indexId, indexUrl);
  const claims = await findClaims(db, [...new Set(files.map(({ project_id }) => project_id))]);
  return files.filter(({ project_id }) => !claims.has(project_id));
}
