import type { IncomingMessage } from 'node:http';
import { problem, ProblemError } from '../problem.ts';

/** Milliseconds a JSON body may take, from its first to its last byte. */
const TIMEOUT = 20_000;
const DEEPEST = 32;

/**
 * Reads a JSON body of at most `maxSize` bytes. What browsers can send without asking (forms, plain text) is refused by its
 * content type; with `anyType` it is not, for what no browser adds credentials to.
 *
 * @throws ProblemError
 */
export async function readJsonBody(
  request: IncomingMessage,
  maxSize: number,
  { anyType = false } = {},
): Promise<unknown> {
  const type = request.headers['content-type'] ?? '';
  if (!anyType && !/^application\/(?:[a-z.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw refusal(415, 'The body must be JSON: send Content-Type: application/json.');
  }
  if (request.headers['content-encoding'] !== undefined) {
    throw refusal(415, 'The body must not be compressed: leave out Content-Encoding.');
  }
  const text = await readText(request, maxSize);
  if (depthOf(text) > DEEPEST) throw refusal(400, 'The body is nested too deep.');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw refusal(400, 'The body is no JSON text.');
  }
}

async function readText(request: IncomingMessage, maxSize: number): Promise<string> {
  const tooLarge = refusal(413, `The body is larger than ${maxSize} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > maxSize) throw tooLarge;
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => end(refusal(408, 'The body did not come in time.')), TIMEOUT);
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxSize) end(tooLarge);
      else chunks.push(chunk);
    };
    const onEnd = (): void => end(undefined);
    const onClose = (): void => end(refusal(400, 'The body was cut off.'));
    const end = (error: Error | undefined): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      if (error === undefined) resolve(Buffer.concat(chunks));
      else {
        request.pause();
        reject(error);
      }
    };
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refusal(400, 'The body is not UTF-8.');
  }
}

/** How deep brackets are nested, counted without parsing; brackets inside of strings only make it larger. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let position = 0; position < text.length; position += 1) {
    const code = text.charCodeAt(position);
    if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, (depth += 1));
    else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return deepest;
}

function refusal(status: number, detail: string): ProblemError {
  return new ProblemError(problem(status, detail));
}
