import { z } from 'zod';
import type { ProjectRow } from '../../db/schema.ts';
import type { RegistryContext } from '../../registry/context.ts';
import type { OpenObject } from '../../storage/object-store.ts';
import type { Principal, Verb } from '../../registry/principal.ts';

export type EndpointMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * Who may call an endpoint, checked before its body is read.
 * `on: 'index'`: the verb in the index as a whole. `on: 'project'`: the verb in the project `{project}` of the path, which must exist.
 * `on: 'server'`: the whole server; such endpoints exist at the default index only. `verb: 'known'`: whoever is not
 * anonymous; the operation decides the rest.
 */
export type EndpointPolicy =
  | { readonly on: 'index' | 'project'; readonly verb: Verb }
  | { readonly on: 'index'; readonly verb: 'known' }
  | { readonly on: 'server'; readonly verb: 'admin' | 'witness' | 'known' };

/** What a handler is called with. It translates and no more: the work is in registry/, which the commands call too. */
export interface EndpointCall<Body, Query> {
  readonly context: RegistryContext;
  readonly principal: Principal;
  /** The parameters of the path, by name, decoded. */
  readonly parameter: (name: string) => string;
  /** The row of `{project}`. @throws Error unless the policy is on a project */
  readonly project: () => ProjectRow;
  readonly body: Body;
  readonly query: Query;
  /** Resolves once the journal entry is signed and public. @throws RegistryError NOT_YET_SIGNED */
  readonly published: (journalId: number, project?: string) => Promise<void>;
}

/** In place of a response's schema: the answer is a file, for download only. */
export const fileAnswer = z.custom<{ readonly object: OpenObject; readonly sha256: string }>();

/** An endpoint with its types, as the parts write it. */
export interface EndpointDefinition<
  Body extends z.ZodType,
  Query extends z.ZodType,
  Answer extends z.ZodType,
> {
  readonly method: EndpointMethod;
  /** Begins with `/api/v1/`; parameters as `{name}`, one whole segment each. */
  readonly path: string;
  /** Unique: the operation's name in the OpenAPI document. */
  readonly name: string;
  /** One short sentence. */
  readonly summary: string;
  readonly policy: EndpointPolicy;
  /** The JSON body; strict objects, every length bounded. Absent: a body is ignored. */
  readonly request?: Body;
  /** The query's parameters, all texts. */
  readonly query?: Query;
  /** What is answered; absent: 204. Keys that are not in it are not sent. */
  readonly response?: Answer;
  /** 200 when absent. */
  readonly status?: 200 | 201 | 202;
  /** Bytes of the body; 64 KiB when absent. */
  readonly maxBodySize?: number;
  readonly handle: (
    call: EndpointCall<z.output<Body>, z.output<Query>>,
  ) => Promise<z.input<Answer> | undefined | void>;
}

/** An endpoint as the table holds it: checks what it is given by its own schemas. */
export interface Endpoint extends Omit<EndpointDefinition<z.ZodType, z.ZodType, z.ZodType>, 'handle'> {
  readonly handle: (call: EndpointCall<unknown, unknown>) => Promise<unknown>;
}

/** Writes down one endpoint; its handler sees the types of its schemas. */
export function endpoint<
  Body extends z.ZodType = z.ZodUndefined,
  Query extends z.ZodType = z.ZodUndefined,
  Answer extends z.ZodType = z.ZodUndefined,
>(definition: EndpointDefinition<Body, Query, Answer>): Endpoint {
  // The caller parses body and query by these very schemas before it calls.
  return definition as unknown as Endpoint;
}
