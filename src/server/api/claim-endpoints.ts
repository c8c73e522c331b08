import { z } from 'zod';
import { describeClaim } from '../../registry/claim-state.ts';
import { switchStaging } from '../../registry/claimed-projects.ts';
import { RegistryError } from '../../registry/errors.ts';
import { offeredMetadataOf } from '../../registry/offered-metadata.ts';
import {
  cosign,
  findOneProposal,
  listProposals,
  propose,
  withdrawProposal,
  type CosignOutcome,
  type Proposal,
} from '../../registry/proposals.ts';
import { discardStagedFile, listStagedFiles, openStagedFile } from '../../registry/staged-files.ts';
import { takeTransaction } from '../../registry/transaction.ts';
import { endpoint, fileAnswer, type Endpoint, type EndpointCall } from './endpoint.ts';

const PROJECT = '/api/v1/projects/{project}';
const UPLOAD = { on: 'project', verb: 'upload' } as const;
const OWN = { on: 'project', verb: 'own' } as const;
/** Bytes of a transaction: the signed metadata of a project with thousands of files. */
const MAX_TRANSACTION = 8 * 1024 ** 2;

const missing = z.array(z.object({ role: z.string(), have: z.number().int(), need: z.number().int() }));
const OUTCOME = z.object({
  /** 'published': public. 'proposed': kept until enough of the owners have signed. */
  state: z.enum(['published', 'proposed']),
  serial: z.number().int().nullable(),
  proposal: z.number().int().nullable(),
  missing,
});
const claim = z.object({
  project: z.string(),
  displayName: z.string(),
  state: z.enum(['unclaimed', 'recently-claimed', 'claimed']),
  owners: z.unknown(),
  wishedOwners: z.unknown(),
  roles: z.record(z.string(), z.number().int()),
  staging: z.boolean(),
  pageFormat: z.number().int(),
  status: z.string(),
  statusReason: z.string().nullable(),
  claimedAt: z.string().nullable(),
  movedAt: z.string().nullable(),
  waiting: z.boolean(),
});
const stagedFile = z.object({
  filename: z.string(),
  version: z.string(),
  size: z.number().int(),
  sha256: z.string(),
  requiresPython: z.string().nullable(),
  coreMetadataSha256: z.string().nullable(),
  provenance: z.string().nullable(),
  packagetype: z.string(),
  stagedBy: z.string(),
  stagedAt: z.string(),
  expires: z.string(),
});
const proposal = z.object({
  id: z.number().int(),
  transaction: z.record(z.string(), z.unknown()),
  proposedBy: z.string(),
  created: z.string(),
  expires: z.string(),
});
/** Read strictly by claims/transaction-form.ts, which names what is wrong. */
const transaction = z.record(z.string(), z.unknown());

/** Waits until what was applied is public. */
async function answer(
  call: EndpointCall<unknown, unknown>,
  outcome: CosignOutcome,
): Promise<z.input<typeof OUTCOME>> {
  if ('proposal' in outcome) {
    return { state: 'proposed', serial: null, proposal: outcome.proposal, missing: [...outcome.missing] };
  }
  const { journalId } = outcome;
  if (journalId !== undefined) await call.published(journalId);
  return { state: 'published', serial: journalId ?? null, proposal: null, missing: [] };
}

function told(one: Proposal): z.input<typeof proposal> {
  return { ...one };
}

function numberOf(text: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text);
  throw new RegistryError('NOT_FOUND', 'There is no such proposal.');
}

const PROPOSAL_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: `${PROJECT}/proposals`,
    name: 'listProposals',
    summary: 'Transactions that wait for further signatures of the owners.',
    policy: UPLOAD,
    response: z.object({ proposals: z.array(proposal) }),
    handle: async (call) => ({
      proposals: (await listProposals(call.context, call.project())).map(told),
    }),
  }),
  endpoint({
    method: 'GET',
    path: `${PROJECT}/proposals/{id}`,
    name: 'getProposal',
    summary: 'One transaction that waits, whole, with the signatures so far.',
    policy: UPLOAD,
    response: proposal,
    handle: async (call) =>
      told(await findOneProposal(call.context, call.project(), numberOf(call.parameter('id')))),
  }),
  endpoint({
    method: 'POST',
    path: `${PROJECT}/proposals/{id}`,
    name: 'signProposal',
    summary: 'Add signatures to a proposal: the same metadata with more of them. Enough of them publish it.',
    policy: UPLOAD,
    maxBodySize: MAX_TRANSACTION,
    request: z.strictObject({ roles: z.record(z.string(), z.unknown()) }),
    response: OUTCOME,
    handle: async (call) => {
      const { context, principal, body } = call;
      const id = numberOf(call.parameter('id'));
      return answer(call, await cosign(context, principal, call.project(), id, body.roles));
    },
  }),
  endpoint({
    method: 'DELETE',
    path: `${PROJECT}/proposals/{id}`,
    name: 'withdrawProposal',
    summary: 'Let nobody sign a proposal any more.',
    policy: UPLOAD,
    handle: (call) =>
      withdrawProposal(call.context, call.principal, call.project(), numberOf(call.parameter('id'))),
  }),
];

const STAGING_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: `${PROJECT}/staged`,
    name: 'listStagedFiles',
    summary: 'Files that wait for a signature, with everything that the page will say of them.',
    policy: UPLOAD,
    response: z.object({ files: z.array(stagedFile) }),
    handle: async (call) => ({
      files: (await listStagedFiles(call.context, call.project())).map((row) => ({
        filename: row.filename,
        version: row.version,
        size: row.length,
        sha256: row.sha256,
        requiresPython: row.requires_python,
        coreMetadataSha256: offeredMetadataOf(row).metadata_sha256,
        provenance: row.provenance_url,
        packagetype: row.packagetype,
        stagedBy: row.staged_by,
        stagedAt: row.staged_at,
        expires: row.expires_at,
      })),
    }),
  }),
  endpoint({
    method: 'GET',
    path: `${PROJECT}/staged/{filename}`,
    name: 'getStagedFile',
    summary: 'The bytes of a staged file, for whoever is to sign it.',
    policy: UPLOAD,
    response: fileAnswer,
    handle: (call) => openStagedFile(call.context, call.project(), call.parameter('filename')),
  }),
  endpoint({
    method: 'DELETE',
    path: `${PROJECT}/staged/{filename}`,
    name: 'discardStagedFile',
    summary: 'Throw a staged file away; its name is free again.',
    policy: UPLOAD,
    handle: (call) =>
      discardStagedFile(call.context, call.principal, call.project(), call.parameter('filename')),
  }),
  endpoint({
    method: 'PUT',
    path: `${PROJECT}/staging`,
    name: 'setStaging',
    summary: 'Whether uploads without signatures wait for the owners, or are refused.',
    policy: OWN,
    request: z.strictObject({ on: z.boolean() }),
    response: z.object({ staging: z.boolean() }),
    handle: async (call) => {
      await switchStaging(call.context, call.principal, call.project(), call.body.on);
      return { staging: call.body.on };
    },
  }),
];

/** Projects whose releases their owners sign (PEP 480). */
export const CLAIM_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: `${PROJECT}/claim`,
    name: 'getClaim',
    summary: 'Who signs for a project, and what the next signature builds on.',
    // Not for every reader: a project that is staged for the first time is nobody else's business yet.
    policy: UPLOAD,
    response: claim,
    handle: (call) => describeClaim(call.context, call.project()),
  }),
  endpoint({
    method: 'POST',
    path: `${PROJECT}/transaction`,
    name: 'publishTransaction',
    summary:
      'Publish what the owners signed: metadata, staged files, changes; whole or not at all. With `cosign`, one with too few signatures is kept.',
    policy: UPLOAD,
    maxBodySize: MAX_TRANSACTION,
    request: transaction,
    response: OUTCOME,
    handle: async (call) => {
      const { context, principal } = call;
      const { cosign: allowsPartial = false, ...value } = call.body;
      if (allowsPartial === true)
        return answer(call, await propose(context, principal, call.project(), value));
      const outcome = await takeTransaction(context, principal, call.project(), value);
      if ('transaction' in outcome) throw new Error('A transaction without enough signatures was taken.');
      return answer(call, outcome);
    },
  }),
  ...STAGING_ENDPOINTS,
  ...PROPOSAL_ENDPOINTS,
];
