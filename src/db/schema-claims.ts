import type { Generated, Insertable, Selectable } from 'kysely';
import type { Flag, Timestamp } from './schema.ts';

/** 'recently-claimed': delegated by the online key. 'claimed': by the offline keys of the administrators. */
export type ClaimState = 'recently-claimed' | 'claimed';

/** A project whose releases its owners sign (PEP 480). */
export interface ClaimsTable {
  project_id: number;
  index_id: number;
  state: ClaimState;
  /** To whom the project is delegated: JSON text of claims/owners.ts. In force with the change of the project that waits last. */
  owners: string;
  /** To whom its owners want it delegated; another than `owners` until the administrators have signed. */
  wished_owners: string;
  /** 1: an upload by the legacy API is kept for the owners to sign. */
  staging: Generated<Flag>;
  claimed_at: Timestamp;
  /** When it became 'claimed'. */
  moved_at: Timestamp | null;
}

/** Metadata that developers signed: the newest version of each role, and those on their way to it. */
export interface SignedRolesTable {
  id: Generated<number>;
  index_id: number;
  project_id: number;
  role: string;
  version: number;
  sha256: string;
  length: number;
  expires_at: Timestamp;
  /** The change that it becomes public with; NULL: it was taken from a published tree. */
  journal_id: number | null;
  bytes: Uint8Array;
}

/** A file that waits for the signatures of its project's owners; its bytes lie in the private part of the store. */
export interface StagedFilesTable {
  id: Generated<number>;
  index_id: number;
  project_id: number;
  version: string;
  filename: string;
  packagetype: string;
  python_version: string;
  length: number;
  sha256: string;
  blake2b_256: string;
  requires_python: string | null;
  metadata_sha256: string;
  metadata_length: number;
  /** JSON text of its core metadata. */
  core_metadata: string;
  /** JSON text of its provenance object (PEP 740). */
  provenance: string | null;
  provenance_url: string | null;
  /** tokens.id */
  uploaded_by: number | null;
  /** As in the audit log. */
  staged_by: string;
  staged_at: Timestamp;
  expires_at: Timestamp;
}

/** A transaction that too few keys have signed. */
export interface ProposalsTable {
  id: Generated<number>;
  index_id: number;
  project_id: number;
  /** 'applied': it reached its threshold. 'replaced': another one was applied. */
  state: 'open' | 'applied' | 'replaced';
  /** JSON text of claims/transaction.ts, with every signature so far. */
  content: string;
  /** What it would do, whoever has signed it. */
  content_sha256: string;
  /** As in the audit log. */
  proposed_by: string;
  created_at: Timestamp;
  expires_at: Timestamp;
}

/** What administrators withhold from installers. */
export interface TakedownsTable {
  id: Generated<number>;
  index_id: number;
  /** Normalized; need not exist. */
  project: string;
  /** NULL: every file of the project. */
  filename: string | null;
  reason: string;
  since: Timestamp;
  /** NULL: in force. */
  ended_at: Generated<Timestamp | null>;
}

export interface ClaimsSchema {
  claims: ClaimsTable;
  signed_roles: SignedRolesTable;
  staged_files: StagedFilesTable;
  proposals: ProposalsTable;
  takedowns: TakedownsTable;
}

export type ClaimRow = Selectable<ClaimsTable>;
export type NewClaim = Insertable<ClaimsTable>;
export type StagedFileRow = Selectable<StagedFilesTable>;
export type NewStagedFile = Insertable<StagedFilesTable>;
export type ProposalRow = Selectable<ProposalsTable>;
export type NewProposal = Insertable<ProposalsTable>;
export type TakedownRow = Selectable<TakedownsTable>;
export type SignedRoleRow = Selectable<SignedRolesTable>;
