import { z } from 'zod';
import { fileAnswer, type Endpoint } from './endpoint.ts';

const FILE = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };
const PROBLEM = {
  description: 'Refused: RFC 9457, the sentence to show is in `detail`.',
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        properties: {
          type: { type: 'string' },
          status: { type: 'integer' },
          title: { type: 'string' },
          detail: { type: 'string' },
          code: { type: 'string' },
          role: { type: 'string' },
          path: { type: 'string' },
          key: { type: 'string' },
        },
        required: ['status', 'title', 'detail'],
      },
    },
  },
};

/** The OpenAPI 3.1 document of the endpoints: a pure function of their table. */
export function openApiDocument(endpoints: readonly Endpoint[], version: string): object {
  const paths: Record<string, Record<string, object>> = Object.create(null) as Record<
    string,
    Record<string, object>
  >;
  for (const endpoint of endpoints) {
    const operations = (paths[endpoint.path] ??= {});
    operations[endpoint.method.toLowerCase()] = operationOf(endpoint);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Rind',
      version,
      description:
        'The administration of an index. Paths are relative to the index: `/api/v1/…` for the default one, `/index/NAME/api/v1/…` for others.',
    },
    security: [{ token: [] }, { basic: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'An API token, `rind_…`.' },
        basic: {
          type: 'http',
          scheme: 'basic',
          description: 'The user `__token__` with an API token, or a user name and its password.',
        },
      },
    },
  };
}

function operationOf(endpoint: Endpoint): object {
  const { name, summary, policy, request, response, status = 200 } = endpoint;
  const body = request === undefined ? {} : { requestBody: { required: true, content: json(request) } };
  const success =
    response === undefined
      ? { 204: { description: 'Done.' } }
      : { [status]: { description: 'Done.', content: response === fileAnswer ? FILE : json(response) } };
  return {
    operationId: name,
    summary,
    description: `Needs the right to ${policy.verb === 'known' ? 'be known' : policy.verb} on the ${policy.on}.`,
    parameters: [...pathParameters(endpoint.path), ...queryParameters(endpoint.query)],
    ...body,
    responses: { ...success, default: PROBLEM },
  };
}

function pathParameters(path: string): object[] {
  return path
    .split('/')
    .filter((segment) => segment.startsWith('{'))
    .map((segment) => ({
      name: segment.slice(1, -1),
      in: 'path',
      required: true,
      schema: { type: 'string' },
    }));
}

function queryParameters(query: z.ZodType | undefined): object[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(query) as {
    properties?: Record<string, object>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
}

function json(schema: z.ZodType): object {
  return { 'application/json': { schema: schemaOf(schema) } };
}

function schemaOf(schema: z.ZodType): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}
