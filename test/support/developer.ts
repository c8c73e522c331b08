import { createHash } from 'node:crypto';
import { nextPage } from '../../src/claims/next-page.ts';
import { nextRoles, type RolePlan } from '../../src/claims/next-roles.ts';
import { projectRoleName, releaseRoleName, wheelsRoleName } from '../../src/claims/names.ts';
import { pageTargets } from '../../src/claims/page-targets.ts';
import type { SignedTarget } from '../../src/claims/project-role.ts';
import { transactionJson, type ProjectChange } from '../../src/claims/transaction-form.ts';
import { parseProjectJson, type PageFile, type ProjectPage } from '../../src/pypi/simple.ts';
import { Metadata, signMetadata } from '../../src/tuf/metadata.ts';
import type { Signer } from '../../src/tuf/signer.ts';
import type { Targets } from '../../src/tuf/targets.ts';
import type { Distribution } from '../tools/distribution.ts';
import type { Answer, ServerFixture } from './server-fixture.ts';

const YEAR = 365 * 86_400_000;

/** What a developer signs; what is left out is as an honest one does it. */
export interface Release extends Partial<Pick<RolePlan, 'owners' | 'release' | 'wheels' | 'renews'>> {
  /** Staged before. */
  readonly files?: readonly Distribution[];
  readonly changes?: readonly ProjectChange[];
  readonly uploadTime?: string;
  readonly expires?: Date;
  /** By role; of every role when there is only one list. */
  readonly signers: readonly Signer[] | Readonly<Record<string, readonly Signer[]>>;
  readonly targets?: (targets: Map<string, SignedTarget>) => void;
  readonly roles?: (roles: Map<string, Targets>) => void;
}

/** A developer's machine, reduced to what it sends: reads the public state, makes the next one with the same functions as the server, signs. */
export class Developer {
  readonly #server: ServerFixture;
  readonly #token: string;

  constructor(server: ServerFixture, token: string) {
    this.#server = server;
    this.#token = token;
  }

  /** One call of the API below the project. */
  api(method: string, path: string, body?: object): Promise<Answer> {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = { Authorization: `Bearer ${this.#token}`, 'Content-Type': 'application/json' };
    return this.#server.send(method, `/api/v1/projects/${path}`, headers, bytes);
  }

  stage(file: Distribution): Promise<Answer> {
    const authorization = `Basic ${Buffer.from(`__token__:${this.#token}`).toString('base64')}`;
    return this.#server.upload(file, { 'x-rind-stage': '1', Authorization: authorization });
  }

  /** The page that is public; an empty one before. */
  async page(project: string): Promise<ProjectPage> {
    const answer = await this.#server.get(`/simple/${project}/index.json`);
    return answer.status === 200 ? parseProjectJson(answer.body) : { name: project, files: [] };
  }

  /** The public metadata of the project's roles, by role. */
  async roles(project: string): Promise<ReadonlyMap<string, Targets>> {
    const { roles } = JSON.parse((await this.api('GET', `${project}/claim`)).text) as {
      roles: Record<string, number>;
    };
    const present = new Map<string, Targets>();
    for (const [role, version] of Object.entries(roles)) {
      const { body } = await this.#server.get(`/metadata/${version}.${role}.json`);
      present.set(role, Metadata.fromBytes(body, 'targets', { role }).signed);
    }
    return present;
  }

  /** The transaction as it is sent. */
  async sign(project: string, release: Release): Promise<Record<string, unknown>> {
    const { files = [], changes = [], signers } = release;
    const now = this.#server.index.now;
    const uploadTime = release.uploadTime ?? now.toISOString().replace('Z', '000Z');
    const present = await this.roles(project);
    const staged = await this.#staged(project);
    const pageFiles = files.map((file) => pageFile(staged, file, uploadTime));
    const targets = new Map(pageTargets(nextPage(await this.page(project), pageFiles, changes)).targets);
    release.targets?.(targets);
    const planned = nextRoles({
      project,
      present,
      targets,
      expires: release.expires ?? new Date(now.getTime() + YEAR),
      ...optional(release),
    });
    const unsigned = new Map(planned);
    release.roles?.(unsigned);
    const roles = new Map<string, Uint8Array>();
    for (const [role, content] of unsigned) {
      const keys = Array.isArray(signers) ? signers : ((signers as Record<string, Signer[]>)[role] ?? []);
      roles.set(role, (await signMetadata(content, keys as readonly Signer[])).toBytes());
    }
    const own = [projectRoleName(project), releaseRoleName(project), wheelsRoleName(project)];
    const base = new Map(
      [...present].filter(([role]) => own.includes(role)).map(([role, at]) => [role, at.version]),
    );
    const sent = files.map(({ filename, bytes }) => ({ filename, sha256: sha256(bytes), uploadTime }));
    return transactionJson({ base, roles, files: sent, changes });
  }

  /** Signs and sends. */
  async publish(project: string, release: Release, more: object = {}): Promise<Answer> {
    const transaction = await this.sign(project, release);
    return this.api('POST', `${project}/transaction`, { ...transaction, ...more });
  }

  async #staged(project: string): Promise<ReadonlyMap<string, StagedJson>> {
    const { files } = JSON.parse((await this.api('GET', `${project}/staged`)).text) as {
      files: StagedJson[];
    };
    return new Map(files.map((file) => [file.filename, file]));
  }
}

/** What of a release stands in the plan of its roles. */
function optional({ owners, release, wheels, renews }: Release): Partial<RolePlan> {
  return {
    ...(owners === undefined ? {} : { owners }),
    ...(release === undefined ? {} : { release }),
    ...(wheels === undefined ? {} : { wheels }),
    ...(renews === undefined ? {} : { renews }),
  };
}

interface StagedJson {
  readonly filename: string;
  readonly version: string;
  readonly size: number;
  readonly sha256: string;
  readonly requiresPython: string | null;
  readonly coreMetadataSha256: string | null;
  readonly provenance: string | null;
}

function pageFile(
  staged: ReadonlyMap<string, StagedJson>,
  { filename, bytes, version }: Distribution,
  uploadTime: string,
): PageFile {
  const row = staged.get(filename);
  return {
    filename,
    version: row?.version ?? version,
    sha256: row?.sha256 ?? sha256(bytes),
    size: row?.size ?? bytes.length,
    uploadTime,
    ...(row === undefined ? {} : stagedFields(row)),
  };
}

function stagedFields({ coreMetadataSha256, requiresPython, provenance }: StagedJson): Partial<PageFile> {
  return {
    ...(coreMetadataSha256 === null ? {} : { coreMetadataSha256 }),
    ...(requiresPython === null ? {} : { requiresPython }),
    ...(provenance === null ? {} : { provenance }),
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
