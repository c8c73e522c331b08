import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from './options.ts';
import { problem, ProblemError } from './problem.ts';
import { checkReadiness, type ReadinessOptions } from './readiness.ts';
import type { ServerMetrics } from './server-metrics.ts';
import { isLocal } from './trusted-proxies.ts';

export interface OperationsOptions {
  readonly readiness: ReadinessOptions;
  readonly metrics: ServerMetrics;
  readonly metricsToken: (() => string | undefined) | undefined;
  readonly metricsLocal: boolean;
  readonly log: Log;
}

const TEXT = 'text/plain; charset=utf-8';
const METRICS = 'text/plain; version=0.0.4; charset=utf-8';

/** What machines ask that watch over this one. */
export class Operations {
  readonly #options: OperationsOptions;
  #lastProblems = '';

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  /** `/healthz`: the process answers. */
  health(request: IncomingMessage, response: ServerResponse): void {
    send(request, response, 200, TEXT, 'ok\n');
  }

  /** `/readyz`: 200 when it can do its work, 503 otherwise, with a line per part and no reasons: those are in the log. */
  async readiness(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const checks = await checkReadiness(this.#options.readiness);
    const failed = checks.filter((check) => check.problem !== undefined);
    const problems = failed.map(({ name, problem: sentence }) => `${name}: ${sentence}`).join(' ');
    if (problems !== '' && problems !== this.#lastProblems) this.#options.log.warn({ problems }, 'not ready');
    this.#lastProblems = problems;
    const lines = checks.map((check) => `${check.name} ${check.problem === undefined ? 'ok' : 'failing'}\n`);
    send(request, response, failed.length === 0 ? 200 : 503, TEXT, lines.join(''));
  }

  /**
   * `/metrics`, for whoever has the token; without one for this machine, if an administrator said that no proxy runs here: one that adds no
   * headers cannot be told from a person.
   *
   * @throws ProblemError
   */
  async metrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const token = this.#options.metricsToken?.();
    if (token === undefined && !(this.#options.metricsLocal && isLocal(request)))
      throw new ProblemError(
        problem(
          403,
          'Metrics are told to whoever has the token of metrics.token-file; with metrics.local to this machine.',
        ),
      );
    if (token !== undefined && !isToken(request, token))
      throw new ProblemError(
        problem(401, 'Metrics are told to whoever sends their token.', ['WWW-Authenticate', 'Bearer']),
      );
    send(request, response, 200, METRICS, await this.#options.metrics.registry.text());
  }
}

function isToken({ headers }: IncomingMessage, token: string): boolean {
  const sent = /^bearer +(\S{1,512})$/i.exec(headers.authorization ?? '')?.[1];
  return sent !== undefined && timingSafeEqual(sha256(sent), sha256(token));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  contentType: string,
  text: string,
): void {
  const body = Buffer.from(text);
  response.writeHead(status, [
    'Content-Type',
    contentType,
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    'X-Content-Type-Options',
    'nosniff',
  ]);
  response.end(request.method === 'HEAD' ? undefined : body);
}
