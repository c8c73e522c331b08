import type { Endpoint } from './endpoint.ts';

/** What a path means to the table. */
export interface EndpointMatch {
  readonly endpoint: Endpoint;
  readonly parameters: ReadonlyMap<string, string>;
}

interface Entry {
  readonly endpoint: Endpoint;
  readonly segments: readonly string[];
}

/** Finds the endpoint of a method and a path. Literal segments win over parameters. */
export class EndpointTable {
  readonly endpoints: readonly Endpoint[];
  readonly #entries: readonly Entry[];

  constructor(endpoints: readonly Endpoint[]) {
    this.endpoints = endpoints;
    const entries = endpoints.map((endpoint) => ({ endpoint, segments: endpoint.path.split('/') }));
    this.#entries = entries.toSorted((a, b) => parameterCount(a) - parameterCount(b));
  }

  /** The endpoint, or the methods that this path has (empty: the path has none). */
  find(method: string, path: string): EndpointMatch | { readonly allowed: readonly string[] } {
    const segments = path.split('/');
    const allowed = new Set<string>();
    for (const entry of this.#entries) {
      const parameters = match(entry.segments, segments);
      if (parameters === undefined) continue;
      if (entry.endpoint.method === method) return { endpoint: entry.endpoint, parameters };
      allowed.add(entry.endpoint.method);
    }
    return { allowed: [...allowed].toSorted() };
  }
}

function parameterCount({ segments }: Entry): number {
  return segments.filter(isParameter).length;
}

function isParameter(segment: string): boolean {
  return segment.startsWith('{');
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
): ReadonlyMap<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters = new Map<string, string>();
  for (const [position, expected] of pattern.entries()) {
    const segment = segments[position] ?? '';
    if (isParameter(expected)) {
      if (segment === '') return undefined;
      parameters.set(expected.slice(1, -1), segment);
    } else if (segment !== expected) return undefined;
  }
  return parameters;
}
