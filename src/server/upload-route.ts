import type { IncomingMessage, ServerResponse } from 'node:http';
import { authorize } from '../registry/authorize.ts';
import type { RegistryContext } from '../registry/context.ts';
import { RegistryError } from '../registry/errors.ts';
import { actorOf, type Principal } from '../registry/principal.ts';
import { takeUpload, type StagedOutcome } from '../registry/stage-file.ts';
import type { UploadOutcome } from '../registry/upload.ts';
import { reasonPhrase } from './problem.ts';
import { receiveForm } from './received-form.ts';
import type { Log, PublicationQueue, ServerLimits } from './options.ts';

/** With the value 1: what is uploaded waits for a signature, claimed project or not (rind claim, rind publish). */
const STAGE_HEADER = 'x-rind-stage';
/** Seconds after which an upload that is stored but not yet signed should ask again. */
const RETRY_AFTER = 5;

export interface UploadEnvironment {
  readonly context: RegistryContext;
  readonly queue: PublicationQueue;
  readonly limits: ServerLimits;
  readonly log: Log;
  /** Called once the upload is public, before the answer: pages held in memory are old now. */
  readonly published: (project: string) => void;
}

/** Counts what is received at the same time. */
export class UploadGate {
  readonly #most: number;
  #open = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Before anything is looked up: refusing must cost less than accepting. @throws RegistryError BUSY */
  requireRoom(): void {
    if (this.#open >= this.#most) {
      throw new RegistryError(
        'BUSY',
        'The index is busy with other uploads; nothing was stored, try again.',
        {
          retryAfter: RETRY_AFTER,
        },
      );
    }
  }

  /** @throws RegistryError BUSY */
  async pass<Result>(work: () => Promise<Result>): Promise<Result> {
    this.requireRoom();
    this.#open += 1;
    try {
      return await work();
    } finally {
      this.#open -= 1;
    }
  }
}

/**
 * The legacy upload API (`POST /legacy/`): who, may they, the form, the file, then wait until it is signed and public.
 * The 200 means all of that. Resolves with what was done.
 *
 * @throws RegistryError, ProblemError
 */
export async function handleUpload(
  environment: UploadEnvironment,
  gate: UploadGate,
  principal: Principal,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<UploadOutcome['outcome'] | 'staged'> {
  const { context, queue, limits, log } = environment;
  // Before a byte of the file is read: has she any business uploading here?
  await authorize(context.db, principal, 'upload', { index: context.index });
  const upload = await gate.pass(() => receiveAndStore(environment, principal, request));
  if (upload.outcome === 'staged') return answerStaged(environment, principal, upload, response);
  queue.wake(context.index.id);
  const isPublic = await queue.published(upload.journalId, limits.publicationTimeout);
  const { filename, project, outcome } = upload;
  log.info(
    { index: context.index.name, project, filename, outcome, isPublic, actor: actorOf(principal) },
    'upload',
  );
  if (!isPublic) {
    throw new RegistryError(
      'NOT_YET_SIGNED',
      `${filename} is stored, not yet signed: upload it again to wait for the signature.`,
      { filename, project, retryAfter: RETRY_AFTER },
    );
  }
  environment.published(project);
  sendAccepted(response, upload);
  return outcome;
}

async function receiveAndStore(
  { context, limits }: UploadEnvironment,
  principal: Principal,
  request: IncomingMessage,
): Promise<UploadOutcome | StagedOutcome> {
  const { fields, content } = await receiveForm(request, context.store, limits);
  try {
    const stage = request.headers[STAGE_HEADER] === '1';
    return await takeUpload(context, principal, fields, content, { stage });
  } finally {
    await content?.temporary.discard();
  }
}

/** 202: every check is passed and the bytes are durable, and nobody but the project's people sees them. */
function answerStaged(
  { context, log }: UploadEnvironment,
  principal: Principal,
  { filename, project, expires, outcome }: StagedOutcome,
  response: ServerResponse,
): 'staged' {
  log.info({ index: context.index.name, project, filename, outcome, actor: actorOf(principal) }, 'upload');
  const until = expires.toISOString().slice(0, 10);
  sendText(
    response,
    202,
    `${filename} is staged, not public: rind sign ${project} publishes it, until ${until}.`,
  );
  return outcome;
}

function sendAccepted(response: ServerResponse, { filename, outcome }: UploadOutcome): void {
  const again = outcome === 'stored' ? '' : ' It was here before.';
  sendText(response, 200, `${filename} is stored, signed and public.${again}`);
}

function sendText(response: ServerResponse, status: 200 | 202, sentence: string): void {
  const body = Buffer.from(`${sentence}\n`);
  response.writeHead(status, status === 202 ? reasonPhrase(sentence) : 'OK', [
    'Content-Type',
    'text/plain; charset=utf-8',
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    'X-Content-Type-Options',
    'nosniff',
  ]);
  response.end(body);
}
