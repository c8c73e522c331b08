import type { Route } from './route.ts';

/** What may be asked of a kind of route, and by whom. */
export interface RoutePolicy {
  /** Methods that are answered, parted by ', '; `*`: the part behind it answers for itself. */
  readonly methods: string;
  /**
   * 'public': everybody, always; only for what says nothing about an index.
   * 'read': whoever may read the index.
   * 'upload': whoever may upload to the index; the project is asked about once the form is read.
   * 'operator': this machine, or whoever has the token of the metrics (operations.ts).
   * 'endpoint': as the endpoint of the API table says (server/api/endpoint.ts).
   */
  readonly access: 'public' | 'read' | 'upload' | 'operator' | 'endpoint';
}

const READING = 'GET, HEAD';
const READ: RoutePolicy = { methods: READING, access: 'read' };

/** The policy of every kind of route: one that is missing here does not compile. */
export const ROUTE_POLICIES: Readonly<Record<Route['kind'], RoutePolicy>> = {
  home: READ,
  health: { methods: READING, access: 'public' },
  readiness: { methods: READING, access: 'public' },
  metrics: { methods: READING, access: 'operator' },
  upload: { methods: 'POST', access: 'upload' },
  'project-list': READ,
  'style-sheet': READ,
  redirect: READ,
  'project-page': READ,
  'page-object': READ,
  'core-metadata': READ,
  'role-metadata': READ,
  'log-object': READ,
  file: READ,
  'project-json': READ,
  feed: READ,
  provenance: READ,
  // Answers everybody and everything with 410.
  'xml-rpc': { methods: '*', access: 'public' },
  'oidc-audience': { methods: READING, access: 'public' },
  // The identity token in the body is the credential.
  'oidc-mint-token': { methods: 'POST', access: 'public' },
  // The token in the body is what gives the right to burn it.
  'oidc-burn-token': { methods: 'POST', access: 'public' },
  api: { methods: '*', access: 'endpoint' },
};
