import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy';
import type { UploadedContent } from '../registry/uploaded-content.ts';
import type { ObjectStore, TemporaryObject } from '../storage/object-store.ts';
import { DigestStream } from '../registry/digests.ts';
import { problem, ProblemError } from './problem.ts';

/** A multipart form whose file lies, hashed, in a temporary object that the caller must commit or discard. */
export interface ReceivedForm {
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly content: UploadedContent | undefined;
}

export interface FormLimits {
  /** Bytes of the distribution file. */
  readonly maxFileSize: number;
  /** Bytes of one text field. */
  readonly maxFieldSize: number;
  /** Bytes of all text fields together, names included. */
  readonly maxFieldsSize: number;
  /** Number of text fields. */
  readonly maxFields: number;
  /** Milliseconds without a byte after which the upload is given up. */
  readonly idleTimeout: number;
}

export const DEFAULT_FORM_LIMITS: FormLimits = {
  maxFileSize: 1024 ** 3,
  maxFieldSize: 4 * 1024 ** 2,
  maxFieldsSize: 8 * 1024 ** 2,
  maxFields: 10_000,
  idleTimeout: 60_000,
};

/** What stands around the file in the body: the parts' headers. */
const FORM_OVERHEAD = 1024 ** 2;
const MAX_PART_HEADER_SIZE = 16 * 1024;
const MAX_FIELD_NAME_LENGTH = 100;

/**
 * Reads a `multipart/form-data` body: text fields in any order, at most one file named `content`, which streams through the
 * hashes into a temporary object of the store. Whatever goes wrong (limits, a broken form, a client that stops or goes away),
 * nothing of it stays, and the request is left paused with the rest of its body unread.
 *
 * @throws ProblemError, or what the store throws
 */
export async function receiveForm(
  request: IncomingMessage,
  store: ObjectStore,
  limits: FormLimits,
): Promise<ReceivedForm> {
  checkHead(request, limits);
  const reception = new Reception(store, limits, newParser(request, limits));
  try {
    return await reception.receive(request);
  } catch (error) {
    await reception.discard();
    throw error;
  }
}

function checkHead(request: IncomingMessage, limits: FormLimits): void {
  const type = request.headers['content-type'] ?? '';
  if (!/^multipart\/form-data\s*;/i.test(type))
    throw refusal(415, 'An upload is a multipart/form-data form.');
  if (request.headers['content-encoding'] !== undefined) {
    throw refusal(415, 'The form must not be compressed: leave out Content-Encoding.');
  }
  const length = Number(request.headers['content-length'] ?? 0);
  if (length > limits.maxFileSize + limits.maxFieldsSize + FORM_OVERHEAD) throw fileTooLarge(limits);
}

function newParser(request: IncomingMessage, limits: FormLimits): BusboyInstance {
  try {
    return new Busboy({
      headers: request.headers as BusboyHeaders,
      // A filename with a folder in it is refused by the filename grammar, not silently shortened.
      preservePath: true,
      isPartAFile: (_name, _type, filename) => filename !== undefined,
      limits: {
        fieldSize: limits.maxFieldSize,
        fields: limits.maxFields,
        fileSize: limits.maxFileSize,
        // content, and the gpg_signature that old twine adds; a third one is refused.
        files: 2,
        headerPairs: 32,
        headerSize: MAX_PART_HEADER_SIZE,
      },
    });
  } catch (error) {
    throw refusal(400, 'The form cannot be read: its Content-Type has no usable boundary.', error);
  }
}

class Reception {
  readonly #store: ObjectStore;
  readonly #limits: FormLimits;
  readonly #parser: BusboyInstance;
  readonly #fields = new Map<string, string[]>();
  readonly #abort = new AbortController();
  #fieldsSize = 0;
  #temporary: Promise<TemporaryObject> | undefined;
  #content: Promise<UploadedContent> | undefined;

  constructor(store: ObjectStore, limits: FormLimits, parser: BusboyInstance) {
    this.#store = store;
    this.#limits = limits;
    this.#parser = parser;
  }

  async receive(request: IncomingMessage): Promise<ReceivedForm> {
    // Not stream.pipeline: on failure it would destroy the request, and with it the socket that the answer needs.
    const idle = setTimeout(
      () => this.#fail(refusal(408, 'The upload stopped half-way; nothing was stored, try again.')),
      this.#limits.idleTimeout,
    );
    const onData = (): void => void idle.refresh();
    const onEnd = (): void => {
      if (!request.complete) this.#fail(refusal(400, 'The upload was cut off; nothing was stored.'));
    };
    // From then on we wait for our own disk, and no longer for the client.
    const onWhole = (): void => clearTimeout(idle);
    request.on('data', onData).on('end', onWhole).on('error', onEnd).on('close', onEnd);
    try {
      await this.#parse(request);
      return { fields: this.#fields, content: await this.#content };
    } catch (error) {
      // What was going on ends with an AbortError, which does not say why.
      throw this.#abort.signal.aborted ? this.#abort.signal.reason : error;
    } finally {
      clearTimeout(idle);
      request.off('data', onData).off('end', onWhole).off('close', onEnd);
      request.unpipe(this.#parser);
      request.pause();
    }
  }

  /** Waits until nothing writes any more, then throws the file away. */
  async discard(): Promise<void> {
    this.#abort.abort();
    await this.#content?.catch(() => undefined);
    const temporary = await this.#temporary?.catch(() => undefined);
    await temporary?.discard();
  }

  #parse(request: IncomingMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#abort.signal.addEventListener('abort', () => {
        const reason: unknown = this.#abort.signal.reason;
        reject(reason instanceof Error ? reason : new Error('aborted'));
      });
      this.#parser
        .on('field', (name: string | undefined, value, nameTruncated, valueTruncated) =>
          this.#takeField(name, value, nameTruncated || valueTruncated),
        )
        .on('file', (name: string | undefined, stream, filename) => this.#takeFile(name, stream, filename))
        .on('fieldsLimit', () =>
          this.#fail(refusal(400, `The form has more than ${this.#limits.maxFields} fields.`)),
        )
        .on('filesLimit', () => this.#fail(refusal(400, 'The form has more than one file.')))
        .on('error', (error) =>
          this.#fail(refusal(400, 'The form is broken or ends too early; nothing was stored.', error)),
        )
        .on('finish', resolve);
      request.pipe(this.#parser);
    });
  }

  #takeField(name: string | undefined, value: string, truncated: boolean): void {
    if (name === undefined || name.length > MAX_FIELD_NAME_LENGTH) {
      this.#fail(refusal(400, 'A field of the form has no name or an overlong one.'));
      return;
    }
    if (name === 'content') {
      this.#fail(refusal(400, 'The field content must be a file with a filename.'));
      return;
    }
    this.#fieldsSize += name.length + value.length;
    if (truncated || this.#fieldsSize > this.#limits.maxFieldsSize) {
      this.#fail(refusal(400, `The field ${name} makes the form too long.`));
      return;
    }
    const values = this.#fields.get(name);
    if (values === undefined) this.#fields.set(name, [value]);
    else values.push(value);
  }

  #takeFile(name: string | undefined, stream: Readable, filename: string): void {
    // The parser emits errors on this stream whoever listens; the same error reaches us from the parser itself.
    stream.on('error', () => undefined);
    if (name === 'gpg_signature') {
      stream.resume();
      return;
    }
    if (name !== 'content') {
      this.#fail(refusal(400, `The field ${name ?? ''} must be text and not a file.`));
      return;
    }
    if (this.#content !== undefined) {
      this.#fail(refusal(400, 'The form has more than one file.'));
      return;
    }
    stream.on('limit', () => this.#fail(fileTooLarge(this.#limits)));
    this.#content = this.#takeContent(stream, filename);
    this.#content.catch((error: unknown) =>
      this.#fail(error instanceof Error ? error : new Error('The file could not be stored.')),
    );
  }

  async #takeContent(stream: Readable, filename: string): Promise<UploadedContent> {
    this.#temporary = this.#store.temporary();
    const [temporary, digest] = await Promise.all([this.#temporary, DigestStream.create()]);
    await pipeline(stream, digest, temporary.writable, { signal: this.#abort.signal });
    return { filename, temporary, ...digest.digests() };
  }

  /** Ends the reception with this error; the first one counts. */
  #fail(error: Error): void {
    this.#abort.abort(error);
  }
}

function fileTooLarge(limits: FormLimits): ProblemError {
  return refusal(413, `The file is too large: this index takes files up to ${limits.maxFileSize} bytes.`);
}

function refusal(status: number, detail: string, cause?: unknown): ProblemError {
  return new ProblemError(problem(status, detail), cause);
}
