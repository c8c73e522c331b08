import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import { findProject } from '../../db/projects.ts';
import type { ProjectRow } from '../../db/schema.ts';
import { projectNamed } from '../../registry/project-change.ts';
import { authorize, authorizeServer, authorizeWitness, requireKnown } from '../../registry/authorize.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { RegistryError } from '../../registry/errors.ts';
import type { Principal } from '../../registry/principal.ts';
import type { Slot } from '../admission.ts';
import { refuseCrossSite, type Guard } from '../guard.ts';
import type { PublicationQueue } from '../options.ts';
import { problem, ProblemError } from '../problem.ts';
import { sendFile } from '../file-response.ts';
import { sendJsonText } from '../send-json.ts';
import { fileAnswer, type Endpoint, type EndpointCall } from './endpoint.ts';
import { EndpointTable, type EndpointMatch } from './endpoint-table.ts';
import { readJsonBody } from './json-body.ts';
import { openApiDocument } from './open-api.ts';

const MAX_BODY_SIZE = 64 * 1024;
const OPEN_API_PATH = '/api/v1/openapi.json';
const RETRY_AFTER = 5;

export interface ApiOptions {
  readonly endpoints: readonly Endpoint[];
  readonly context: RegistryContext;
  readonly guard: Guard;
  readonly queue: PublicationQueue;
  readonly version: string;
  /** Milliseconds a change waits for its signatures. */
  readonly publicationTimeout: number;
  /** Called once a change is public, before the answer: pages held in memory are old now. */
  readonly published: (project: string) => void;
}

/** The administration of one index over HTTP: from a request to the endpoint that answers it. */
export class Api {
  readonly #options: ApiOptions;
  readonly #table: EndpointTable;
  #document: string | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
    // What is about the whole server is there once, at the default index.
    const isDefault = options.context.index.name === '';
    this.#table = new EndpointTable(
      options.endpoints.filter(({ policy }) => isDefault || policy.on !== 'server'),
    );
  }

  /** @throws RegistryError, ProblemError */
  async answer(
    path: string,
    query: string,
    request: IncomingMessage,
    response: ServerResponse,
    slot?: Slot,
  ): Promise<void> {
    const { method = 'GET' } = request;
    const principal = await this.#options.guard.principal(request);
    if (principal.kind === 'anonymous') this.#options.guard.limitUnknown(request);
    // Nobody learns from a 404 or a 405 what a closed index has.
    const { context } = this.#options;
    if (path === OPEN_API_PATH && (method === 'GET' || method === 'HEAD')) {
      await authorize(context.db, principal, 'read', { index: context.index });
      return sendJsonText(response, 200, this.#openApi(), method === 'HEAD');
    }
    const found = this.#table.find(method === 'HEAD' ? 'GET' : method, path);
    if (!('endpoint' in found)) {
      await authorize(context.db, principal, 'read', { index: context.index });
      throw notFound(path === OPEN_API_PATH ? ['GET'] : found.allowed);
    }
    if (method !== 'GET' && method !== 'HEAD') refuseCrossSite(request);
    await this.#call(found, principal, query, request, response, slot);
  }

  async #call(
    match: EndpointMatch,
    principal: Principal,
    query: string,
    request: IncomingMessage,
    response: ServerResponse,
    slot: Slot | undefined,
  ): Promise<void> {
    const { endpoint, parameters } = match;
    const { context } = this.#options;
    const project = await authorizeCall(context, principal, match);
    const receiving = (): Promise<unknown> => readJsonBody(request, endpoint.maxBodySize ?? MAX_BODY_SIZE);
    const body =
      endpoint.request === undefined
        ? undefined
        : parsed(
            endpoint.request,
            await (slot === undefined ? receiving() : slot.receive(receiving)),
            'body',
          );
    const call: EndpointCall<unknown, unknown> = {
      context,
      principal,
      parameter: (name) => parameters.get(name) ?? '',
      project: () => {
        if (project === undefined) throw new Error(`${endpoint.name} is not about a project.`);
        return project;
      },
      body,
      query: endpoint.query === undefined ? undefined : parsed(endpoint.query, queryObject(query), 'query'),
      published: (journalId, name) => this.#published(journalId, name ?? project?.name),
    };
    const answer = await endpoint.handle(call);
    if (endpoint.response === undefined) {
      response.writeHead(204, ['Cache-Control', 'no-store']).end();
      return;
    }
    if (endpoint.response === fileAnswer) {
      const { object, sha256 } = fileAnswer.parse(answer);
      return sendFile(request, response, object, { etag: `"${sha256}"`, cacheControl: 'private, no-store' });
    }
    const text = `${JSON.stringify(endpoint.response.parse(answer))}\n`;
    sendJsonText(response, endpoint.status ?? 200, text, request.method === 'HEAD');
  }

  async #published(journalId: number, project: string | undefined): Promise<void> {
    const { queue, context, publicationTimeout, published } = this.#options;
    queue.wake(context.index.id);
    if (!(await queue.published(journalId, publicationTimeout))) {
      throw new RegistryError('NOT_YET_SIGNED', 'The change is stored and not yet signed; it will be.', {
        retryAfter: RETRY_AFTER,
        ...(project === undefined ? {} : { project }),
      });
    }
    if (project !== undefined) published(project);
  }

  #openApi(): string {
    this.#document ??= `${JSON.stringify(openApiDocument(this.#table.endpoints, this.#options.version))}\n`;
    return this.#document;
  }
}

/** The project of the path when the endpoint is about one. @throws RegistryError, ProblemError 404 */
async function authorizeCall(
  { db, index }: RegistryContext,
  principal: Principal,
  { endpoint: { policy }, parameters }: EndpointMatch,
): Promise<ProjectRow | undefined> {
  switch (policy.on) {
    case 'server':
      if (policy.verb === 'known') requireKnown(principal);
      else if (policy.verb === 'witness') await authorizeWitness(db, principal);
      else await authorizeServer(db, principal);
      return undefined;
    case 'index':
      if (policy.verb === 'known') requireKnown(principal);
      else await authorize(db, principal, policy.verb, { index });
      return undefined;
    case 'project': {
      const name = projectNamed(parameters.get('project') ?? '');
      const project = await findProject(db, index.id, name);
      // A deleted project is still there for whoever may restore it, and for nobody who reads; nor is one that waits for its first publication.
      const isPublic = project !== undefined && project.removed_at === null && project.last_serial > 0;
      if (project === undefined || (!isPublic && policy.verb === 'read')) {
        // Who may not even read here learns nothing about names; anonymous is asked who she is first.
        if (policy.verb !== 'read') requireKnown(principal);
        await authorize(db, principal, 'read', { index });
        throw new ProblemError(problem(404, `There is no project '${name}' here.`));
      }
      await authorize(db, principal, policy.verb, { index, project });
      return project;
    }
  }
}

function notFound(allowed: readonly string[]): ProblemError {
  if (allowed.length === 0) return new ProblemError(problem(404, 'There is nothing at this address.'));
  const list = allowed.join(', ');
  return new ProblemError(problem(405, `This address answers ${list} only.`, ['Allow', list]));
}

function parsed(schema: z.ZodType, value: unknown, part: 'body' | 'query'): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where =
    issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.map(String).join('.')}`;
  throw new ProblemError(problem(422, `The ${part} is not right${where}: ${issue?.message ?? 'invalid'}.`));
}

function queryObject(query: string): Record<string, string> {
  const object = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(query)) object[name] = value;
  return object;
}
