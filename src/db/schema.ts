import type { Generated, Insertable, Kysely, Selectable } from 'kysely';
import type { ClaimsSchema } from './schema-claims.ts';

export type * from './schema-claims.ts';

/** Times are TEXT, ISO 8601 in UTC with `Z`, milliseconds or microseconds; booleans are 0 and 1; digests are lower-case hex. */
export type Timestamp = string;
export type Flag = 0 | 1;

/** One TUF repository and one tree of keys. The default index has the name ''. */
export interface IndexesTable {
  id: Generated<number>;
  name: string;
  /** A profile of repository/profile.ts: 'team' or 'pypi'. */
  profile: string;
  /** The hashes listed beside sha256, parted by commas, ascending: 'sha384', 'sha512'. */
  target_hashes: Generated<string>;
  /** When `target_hashes` was changed last. */
  target_hashes_since: Generated<Timestamp | null>;
  /** Who may read: 'open' everybody, 'token' only who is known. */
  read_access: Generated<'open' | 'token'>;
  /** Who may make a project by the first upload to it. */
  project_creation: Generated<'uploaders' | 'admins'>;
  /** JSON text of registry/index-settings.ts; NULL: the defaults. */
  settings: Generated<string | null>;
  /** Set when the index was taken away; its name stays used. */
  removed_at: Generated<Timestamp | null>;
  created_at: Timestamp;
}

export interface ProjectsTable {
  id: Generated<number>;
  index_id: number;
  /** Normalized (PEP 503). */
  name: string;
  /** As first uploaded. */
  display_name: string;
  /** PEP 792: 'active', 'archived', 'quarantined', 'deprecated'. */
  status: Generated<string>;
  status_reason: string | null;
  /** The serial of its last published change, 0 before the first. */
  last_serial: Generated<number>;
  /** Names with the same key look alike (pypi/project-name.ts). */
  look_alike: Generated<string>;
  /** JSON text of registry/index-settings.ts, over those of the index; NULL: none of its own. */
  limits: Generated<string | null>;
  /** Set when the whole project was deleted; the row stays, because its file names are never used twice. */
  removed_at: Generated<Timestamp | null>;
  created_at: Timestamp;
}

export interface ReleasesTable {
  id: Generated<number>;
  index_id: number;
  project_id: number;
  /** Canonical (PEP 440). */
  version: string;
  /** JSON text of the core metadata of the first file. */
  core_metadata: string;
  created_at: Timestamp;
}

export interface FilesTable {
  id: Generated<number>;
  index_id: number;
  project_id: number;
  release_id: number;
  version: string;
  filename: string;
  /** As in the upload form: 'bdist_wheel' or 'sdist'. */
  packagetype: string;
  python_version: string;
  length: number;
  sha256: string;
  blake2b_256: string;
  requires_python: string | null;
  metadata_sha256: string | null;
  metadata_length: number | null;
  uploaded_at: Timestamp;
  /** tokens.id */
  uploaded_by: number | null;
  yanked: Generated<Flag>;
  yanked_reason: string | null;
  /** Set when the file was taken away; the row stays because a file name is never used twice. */
  removed_at: Timestamp | null;
  /** The absolute URL of its provenance object (PEP 740), which stands in the signed page. */
  provenance_url: Generated<string | null>;
  /** Set when a removed file was taken off the store. */
  collected_at: Generated<Timestamp | null>;
}

export interface TokensTable {
  id: Generated<number>;
  /** NULL: good for every index. */
  index_id: number | null;
  name: string;
  /** sha256 of the token. */
  hash: string;
  /** Verbs parted by commas, ascending: 'admin', 'maintain', 'own', 'read', 'upload'. */
  verbs: string;
  /** No longer looked at: see `is_project_scoped` and token_projects. */
  project_id: number | null;
  /** 1: good for the projects in token_projects only, for none when there are none. */
  is_project_scoped: Generated<Flag>;
  /** Whose token it is; it may do nothing that its user may not. NULL: its scope alone counts. */
  user_id: Generated<number | null>;
  /** Set when trusted publishing made it: who was authenticated by whom. */
  oidc_issuer: Generated<string | null>;
  oidc_subject: Generated<string | null>;
  created_at: Timestamp;
  expires_at: Timestamp | null;
  last_used_at: Timestamp | null;
  revoked_at: Timestamp | null;
}

/** The projects a token is for. */
export interface TokenProjectsTable {
  token_id: number;
  project_id: number;
}

/** A person, or a machine that is given a name. The name is never used again, because the audit log says it. */
export interface UsersTable {
  id: Generated<number>;
  name: string;
  /** A scrypt hash as registry/password.ts writes it; NULL: no password, tokens only. */
  password: string | null;
  is_admin: Generated<Flag>;
  created_at: Timestamp;
  disabled_at: Generated<Timestamp | null>;
  removed_at: Generated<Timestamp | null>;
}

export type IndexRole = 'reader' | 'uploader';
export type ProjectRole = 'owner' | 'maintainer';

/** What a user may do in an index beyond the projects of hers. */
export interface IndexMembersTable {
  index_id: number;
  user_id: number;
  role: IndexRole;
  granted_at: Timestamp;
}

export interface ProjectRolesTable {
  project_id: number;
  user_id: number;
  role: ProjectRole;
  granted_at: Timestamp;
}

/** A workflow elsewhere that may upload to a project (trusted publishing). */
export interface PublishersTable {
  id: Generated<number>;
  index_id: number;
  /** NULL while it is pending: the project does not exist yet. */
  project_id: number | null;
  /** Normalized. */
  project_name: string;
  issuer: string;
  /** JSON object: what each claim must be. */
  claims: string;
  /** Becomes owner of the project that a pending publisher makes. */
  registered_by: number | null;
  created_at: Timestamp;
  last_used_at: Generated<Timestamp | null>;
  removed_at: Generated<Timestamp | null>;
}

/** Identity tokens that were used, until they expire: none is taken twice. */
export interface OidcUsesTable {
  issuer: string;
  jti_sha256: string;
  expires_at: Timestamp;
}

/** What changed and waits to be signed, in order. `id` is the serial number of the change. */
export interface JournalTable {
  id: Generated<number>;
  index_id: number;
  project_id: number | null;
  /** 'upload', 'yank', 'unyank', 'remove', 'status' … */
  kind: string;
  /** JSON text. */
  detail: string;
  created_at: Timestamp;
  /** NULL while it waits. */
  publication_id: number | null;
}

export type PublicationState = 'reserved' | 'published' | 'abandoned';

/** One attempt to publish; see publications.ts. */
export interface PublicationsTable {
  id: Generated<number>;
  index_id: number;
  epoch: number;
  state: PublicationState;
  snapshot_version: number;
  timestamp_version: number;
  timestamp_sha256: string;
  created_at: Timestamp;
  finished_at: Timestamp | null;
}

/** Every (role, version) ever reserved, with the one byte string it may have. */
export interface RoleVersionsTable {
  index_id: number;
  role: string;
  version: number;
  sha256: string;
  length: number;
  expires_at: Timestamp;
  publication_id: number;
}

/** The version of each role that is public now. */
export interface RolesTable {
  index_id: number;
  role: string;
  version: number;
  sha256: string;
  length: number;
  signed_at: Timestamp;
  expires_at: Timestamp;
}

/** The targets that are public now. */
export interface TargetsTable {
  index_id: number;
  path: string;
  /** The first 24 bits of sha256(path): a bin is a range of it. */
  path_prefix: number;
  length: number;
  sha256: string;
}

/** What a reserved publication does to the targets; length and sha256 NULL: the target goes. */
export interface TargetChangesTable {
  publication_id: number;
  index_id: number;
  path: string;
  path_prefix: number;
  length: number | null;
  sha256: string | null;
}

/** Target contents that no snapshot from this publication on lists (or, of an abandoned one, ever listed): garbage once older snapshots are gone. */
export interface RetiredTargetsTable {
  index_id: number;
  publication_id: number;
  path: string;
  sha256: string;
}

/** Digests of target contents beside sha256; a content that is listed with one has an object of that name. */
export interface TargetDigestsTable {
  index_id: number;
  path_prefix: number;
  path: string;
  sha256: string;
  /** 'sha384' or 'sha512'. */
  algorithm: string;
  digest: string;
}

/** Clean-ups that somebody asked for, or that found something. */
export interface CollectionsTable {
  id: Generated<number>;
  index_id: number;
  requested_at: Timestamp;
  finished_at: Generated<Timestamp | null>;
  objects: Generated<number>;
  bytes: Generated<number>;
  error: Generated<string | null>;
}

/** Who may publish. The epoch rises with each holder; a transaction of an older epoch fails. */
export interface LeasesTable {
  index_id: number;
  holder: string;
  epoch: number;
  acquired_at: Timestamp;
}

/** 'root-published': its root is public and is given time to reach every client before the rest follows. */
export type OfflineBundleState = 'waiting' | 'root-published' | 'published' | 'refused';

/** A bundle of a ceremony that the publisher is to make public. */
export interface OfflineBundlesTable {
  id: Generated<number>;
  index_id: number;
  /** sha256 of the signing event. */
  event: string;
  state: OfflineBundleState;
  /** Why it was refused. */
  reason: string | null;
  created_at: Timestamp;
  root_published_at: Timestamp | null;
  finished_at: Timestamp | null;
}

/** The signed metadata of a bundle. */
export interface OfflineBundleRolesTable {
  bundle_id: number;
  role: string;
  version: number;
  bytes: Uint8Array;
}

/** What was done, by whom; append-only (triggers refuse anything else) and hash-chained, see audit.ts. */
export interface AuditLogTable {
  /** 1, 2, 3 … without gaps. */
  seq: number;
  index_id: number | null;
  at: Timestamp;
  actor: string;
  action: string;
  subject: string;
  /** Canonical JSON. */
  detail: string;
  previous_sha256: string;
  sha256: string;
}

/** While there is one, nothing of the index is published. */
export interface PublicationHoldsTable {
  index_id: number;
  /** 'backup' or 'recovery'. */
  kind: string;
  reason: string;
  created_at: Timestamp;
}

/** While there is one whose time has not come, no index is cleaned up. */
export interface CollectionHoldsTable {
  id: Generated<number>;
  until: Timestamp;
}

/** The public log of an index, append-only: see repository/public-log.ts. */
export interface LogEntriesTable {
  index_id: number;
  seq: number;
  publication_id: number;
  /** Canonical JSON, as it is served. */
  entry: string;
  /** The Merkle root of the log with this entry. */
  root: string;
}

/** How far a sink has been told of the heads of an index's log. */
export interface HeadDeliveriesTable {
  /** Which sink: its name, unique. */
  sink: string;
  index_id: number;
  /** The size of the last head that arrived there. */
  size: number;
  delivered_at: Timestamp | null;
  /** In a row. */
  failures: number;
  retry_at: Timestamp | null;
  /** Why the last attempt failed, for people. */
  last_error: string | null;
}

/** Heads of logs of others, as they were reported; append-only. */
export interface WitnessedHeadsTable {
  id: Generated<number>;
  /** The public URL of the index that the log belongs to. */
  origin: string;
  size: number;
  root: string;
  received_at: Timestamp;
  /** tokens.id of who reported it. */
  token_id: number | null;
}

/** An import of targets; see repository/import-targets.ts. */
export interface ImportsTable {
  id: Generated<number>;
  index_id: number;
  /** 'open', 'finished' or 'abandoned'. */
  state: string;
  /** JSON text. */
  sources: string;
  /** JSON text. */
  position: string;
  created_at: Timestamp;
  finished_at: Timestamp | null;
}

/** Reminders that were delivered, by the key that each has once. */
export interface SentRemindersTable {
  key: string;
  sent_at: Timestamp;
}

/** Provenance objects (PEP 740): attestations that were verified when their file was uploaded. */
export interface ProvenancesTable {
  file_id: number;
  /** JSON text, as it is served. */
  document: string;
  created_at: Timestamp;
}

/** Who is told of publications. */
export interface WebhooksTable {
  id: Generated<number>;
  index_id: number;
  url: string;
  /** The key of the signatures, text; shown once. */
  secret: string;
  /** 1: an administrator of the whole server made it, so it may be at an address of the server's own network. */
  may_be_internal: Generated<number>;
  created_at: Timestamp;
  removed_at: Generated<Timestamp | null>;
}

export interface WebhookDeliveriesTable {
  id: Generated<number>;
  webhook_id: number;
  publication_id: number;
  /** 'dead': given up. */
  state: 'waiting' | 'delivered' | 'dead';
  attempts: Generated<number>;
  due_at: Timestamp;
  /** Why the last attempt failed, for people. */
  last_error: Generated<string | null>;
  created_at: Timestamp;
  finished_at: Generated<Timestamp | null>;
}

export interface Schema extends ClaimsSchema {
  provenances: ProvenancesTable;
  webhooks: WebhooksTable;
  webhook_deliveries: WebhookDeliveriesTable;
  sent_reminders: SentRemindersTable;
  imports: ImportsTable;
  indexes: IndexesTable;
  projects: ProjectsTable;
  releases: ReleasesTable;
  files: FilesTable;
  tokens: TokensTable;
  token_projects: TokenProjectsTable;
  users: UsersTable;
  index_members: IndexMembersTable;
  project_roles: ProjectRolesTable;
  publishers: PublishersTable;
  oidc_uses: OidcUsesTable;
  journal: JournalTable;
  publications: PublicationsTable;
  role_versions: RoleVersionsTable;
  roles: RolesTable;
  targets: TargetsTable;
  target_changes: TargetChangesTable;
  retired_targets: RetiredTargetsTable;
  target_digests: TargetDigestsTable;
  collections: CollectionsTable;
  leases: LeasesTable;
  offline_bundles: OfflineBundlesTable;
  offline_bundle_roles: OfflineBundleRolesTable;
  publication_holds: PublicationHoldsTable;
  collection_holds: CollectionHoldsTable;
  audit_log: AuditLogTable;
  log_entries: LogEntriesTable;
  head_deliveries: HeadDeliveriesTable;
  witnessed_heads: WitnessedHeadsTable;
}

/** Where a query runs: the database, or a transaction of it (`Transaction<Schema>` is one too). */
export type Executor = Kysely<Schema>;

export type ImportRow = Selectable<ImportsTable>;
export type IndexRow = Selectable<IndexesTable>;
export type ProjectRow = Selectable<ProjectsTable>;
export type ReleaseRow = Selectable<ReleasesTable>;
export type FileRow = Selectable<FilesTable>;
export type NewFile = Insertable<FilesTable>;
export type TokenRow = Selectable<TokensTable>;
export type NewToken = Insertable<TokensTable>;
export type UserRow = Selectable<UsersTable>;
export type PublisherRow = Selectable<PublishersTable>;
export type NewPublisher = Insertable<PublishersTable>;
export type JournalRow = Selectable<JournalTable>;
export type PublicationRow = Selectable<PublicationsTable>;
export type RoleRow = Selectable<RolesTable>;
export type RoleVersionRow = Selectable<RoleVersionsTable>;
export type TargetRow = Selectable<TargetsTable>;
export type TargetChangeRow = Selectable<TargetChangesTable>;
export type CollectionRow = Selectable<CollectionsTable>;
export type LeaseRow = Selectable<LeasesTable>;
export type PublicationHoldRow = Selectable<PublicationHoldsTable>;
export type OfflineBundleRow = Selectable<OfflineBundlesTable>;
export type AuditRow = Selectable<AuditLogTable>;
export type LogEntryRow = Selectable<LogEntriesTable>;
export type HeadDeliveryRow = Selectable<HeadDeliveriesTable>;
export type WebhookRow = Selectable<WebhooksTable>;
export type WebhookDeliveryRow = Selectable<WebhookDeliveriesTable>;
export type WitnessedHeadRow = Selectable<WitnessedHeadsTable>;
