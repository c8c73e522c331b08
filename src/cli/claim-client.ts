import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { transactionJson, type SignedTransaction } from '../claims/transaction-form.ts';
import { ApiClient, type RemoteOptions } from './api-client.ts';
import type { LocalDistribution } from './local-distribution.ts';

const STAGED = z.looseObject({
  files: z.array(
    z.looseObject({
      filename: z.string(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      size: z.int(),
      stagedBy: z.string().max(200).optional(),
    }),
  ),
});
const PROPOSALS = z.looseObject({
  proposals: z.array(z.looseObject({ id: z.union([z.int(), z.string()]) })),
});
const PROPOSAL = z.looseObject({ id: z.union([z.int(), z.string()]), transaction: z.unknown() });
/** A project does not reach it; an index that says more would make the next version the last. */
const MOST_VERSION = 1_000_000_000;
const CLAIM = z.looseObject({
  state: z.enum(['unclaimed', 'recently-claimed', 'claimed']),
  staging: z.boolean().optional(),
  /** Of a claim that is there, or of one that was. */
  roles: z.record(z.string(), z.int().positive().max(MOST_VERSION)),
});
const OUTCOME = z.looseObject({
  missing: z.array(z.looseObject({ role: z.string(), have: z.int(), need: z.int() })),
});
const ANYTHING = z.unknown();

/** A file that waits for a signature, as the index says. */
export interface StagedFile {
  readonly filename: string;
  readonly sha256: string;
  readonly size: number;
  /** Where its attestations are, if it was uploaded with some. */
  readonly provenance?: string | null | undefined;
  /** Whose token it was uploaded with. */
  readonly stagedBy?: string | undefined;
}

const UPLOAD_TIMEOUT = 3_600_000;
const LARGEST_FILE = 2 ** 30;

/** What a developer asks of the index about a claimed project. Everything it answers is a stranger's word: what is signed is verified elsewhere. */
export class ClaimClient {
  readonly #api: ApiClient;
  readonly #project: string;

  constructor(project: string, options: RemoteOptions) {
    this.#api = new ApiClient(options);
    this.#project = project;
  }

  /** Uploads a file to where only the owners see it. */
  async stage(file: LocalDistribution): Promise<void> {
    const form = formOf(file);
    await this.#api.send('POST', 'legacy/', {
      headers: {
        'content-type': form.contentType,
        'content-length': String(form.length),
        'x-rind-stage': '1',
      },
      stream: () => form.body(),
      timeout: UPLOAD_TIMEOUT,
    });
  }

  async staged(): Promise<readonly StagedFile[]> {
    return (await this.#call(STAGED, 'GET', 'staged')).files;
  }

  async stagedBytes(filename: string): Promise<Uint8Array> {
    const path = `api/v1/projects/${this.#project}/staged/${encodeURIComponent(filename)}`;
    return (await this.#api.send('GET', path, { limit: LARGEST_FILE, timeout: UPLOAD_TIMEOUT })).bytes;
  }

  claim(): Promise<z.output<typeof CLAIM>> {
    return this.#call(CLAIM, 'GET', 'claim');
  }

  /** Sends signed metadata. @param isPartial when more people have to sign: it is kept as a proposal */
  async send(transaction: SignedTransaction, isPartial: boolean): Promise<unknown> {
    const body = { ...transactionJson(transaction), ...(isPartial ? { cosign: true } : {}) };
    return this.#call(ANYTHING, 'POST', 'transaction', body);
  }

  async proposals(): Promise<readonly (string | number)[]> {
    return (await this.#call(PROPOSALS, 'GET', 'proposals')).proposals.map(({ id }) => id);
  }

  /** The transaction of a proposal, as JSON. */
  async proposal(id: string | number): Promise<unknown> {
    return (await this.#call(PROPOSAL, 'GET', `proposals/${id}`)).transaction;
  }

  /** What is missing still, for each role; nothing: it is published. */
  async cosign(
    id: string | number,
    transaction: SignedTransaction,
  ): Promise<z.output<typeof OUTCOME>['missing']> {
    const { missing } = await this.#call(OUTCOME, 'POST', `proposals/${id}`, {
      roles: transactionJson(transaction)['roles'],
    });
    return missing;
  }

  async setStaging(isOn: boolean): Promise<void> {
    await this.#call(ANYTHING, 'PUT', 'staging', { on: isOn });
  }

  #call<T extends z.ZodType>(schema: T, method: string, path: string, body?: object): Promise<z.output<T>> {
    return this.#api.call(schema, method, `projects/${this.#project}/${path}`, body);
  }
}

/** The legacy upload form of a file: what identifies it; the index reads the rest out of the file. */
function formOf(file: LocalDistribution): { contentType: string; length: number; body: () => Readable } {
  const boundary = randomUUID();
  const fields = {
    ':action': 'file_upload',
    protocol_version: '1',
    metadata_version: file.metadata.metadataVersion,
    name: file.metadata.name,
    version: file.metadata.version,
    filetype: file.filename.kind === 'wheel' ? 'bdist_wheel' : 'sdist',
    pyversion:
      file.filename.kind === 'wheel'
        ? (/-([^-]+)-[^-]+-[^-]+\.whl$/.exec(file.filename.filename)?.[1] ?? 'py3')
        : 'source',
    sha256_digest: file.sha256,
  };
  const part = (head: string) => `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n`;
  const start = Buffer.from(
    Object.entries(fields)
      .map(([name, value]) => `${part(`name="${name}"`)}\r\n${value}\r\n`)
      .join('') +
      `${part(`name="content"; filename="${file.filename.filename}"`)}Content-Type: application/octet-stream\r\n\r\n`,
  );
  const end = Buffer.from(`\r\n--${boundary}--\r\n`);
  async function* body(): AsyncGenerator<Uint8Array> {
    yield start;
    for await (const chunk of createReadStream(file.path)) yield chunk as Buffer;
    yield end;
  }
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    length: start.length + file.length + end.length,
    body: () => Readable.from(body(), { objectMode: false }),
  };
}
