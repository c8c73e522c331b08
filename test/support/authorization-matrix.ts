/**
 * Who may do what, written down by hand: src/server/authorization.test.ts compares the server with it, cell by cell. A new endpoint has to be
 * added to {@link ENDPOINT_CLASSES}, or that test fails.
 */

/** Every kind of principal. 'own' is the project of the owner and the maintainer, 'foreign' somebody else's. */
export const ROLE_NAMES = [
  'anonymous',
  'token unknown',
  'token expired',
  'token revoked',
  'token of a disabled user',
  'token read',
  'token upload',
  'token maintain',
  'token own',
  'token admin',
  'token witness',
  'token admin of the index',
  'token of another index',
  'token of the project',
  'token of a project that is gone',
  'token of the owner',
  'token of trusted publishing',
  'user stranger',
  'user reader',
  'user maintainer',
  'user owner',
  'user admin',
] as const;
export type RoleName = (typeof ROLE_NAMES)[number];

export type Verdict = 'allowed' | 401 | 403;
type Row = (role: RoleName) => Verdict;

/** Whoever cannot say who she is. */
const NOBODY: ReadonlySet<RoleName> = new Set<RoleName>([
  'anonymous',
  'token unknown',
  'token expired',
  'token revoked',
  'token of a disabled user',
]);

const known: Row = (role) => (NOBODY.has(role) ? 401 : 'allowed');

/** Only these; 401 for nobody, 403 for somebody else. */
function only(...roles: readonly RoleName[]): Row {
  return (role) => (NOBODY.has(role) ? 401 : roles.includes(role) ? 'allowed' : 403);
}

/** An open index: a page needs no credentials and looks at none; the API, asked with wrong ones, says so. */
const openRead: Row = (role) => (role === 'anonymous' ? 'allowed' : known(role));

const ADMINS = ['token admin', 'token admin of the index', 'user admin'] as const;

/** By right: the row of an index with that read access, for the own or a foreign project. */
export const MATRIX: Readonly<Record<string, (read: 'open' | 'token', object: 'own' | 'foreign') => Row>> = {
  'server known': () => known,
  'index known': () => known,
  'server witness': () => only('token witness'),
  'server admin': () => only('token admin', 'user admin'),
  'index admin': () => only(...ADMINS),
  'project admin': () => only(...ADMINS),
  'index read': (read) =>
    read === 'open'
      ? openRead
      : only(
          'token read',
          'token of the project',
          'token of a project that is gone',
          'token of the owner',
          'user reader',
          'user maintainer',
          'user owner',
          'user admin',
        ),
  'project read': (read, object) => {
    if (read === 'open') return openRead;
    const everywhere: readonly RoleName[] = [
      'token read',
      'token of the owner',
      'user reader',
      'user maintainer',
      'user owner',
      'user admin',
    ];
    return object === 'own' ? only(...everywhere, 'token of the project') : only(...everywhere);
  },
  'index upload': () =>
    only(
      'token upload',
      'token of the project',
      'token of a project that is gone',
      'token of the owner',
      'token of trusted publishing',
      'user maintainer',
      'user owner',
      'user admin',
    ),
  'project upload': (_read, object) =>
    object === 'own'
      ? only(
          'token upload',
          'token of the project',
          'token of the owner',
          'token of trusted publishing',
          'user maintainer',
          'user owner',
          'user admin',
        )
      : only('token upload', 'user admin'),
  'project maintain': (_read, object) =>
    object === 'own'
      ? only(
          'token maintain',
          'token of the project',
          'token of the owner',
          'user maintainer',
          'user owner',
          'user admin',
        )
      : only('token maintain', 'user admin'),
  'project own': (_read, object) =>
    object === 'own'
      ? only('token own', 'token of the project', 'token of the owner', 'user owner', 'user admin')
      : only('token own', 'user admin'),
};

/** The right that each endpoint of the API needs. */
export const ENDPOINT_CLASSES: Readonly<Record<string, string>> = {
  getIndex: 'index read',
  witnessHead: 'server witness',
  getMe: 'server known',
  listUsers: 'server admin',
  addUser: 'server admin',
  changeUser: 'server admin',
  removeUser: 'server admin',
  setPassword: 'server known',
  listTokens: 'server known',
  createToken: 'server known',
  revokeToken: 'server known',
  listProjectRoles: 'project maintain',
  grantProjectRole: 'project own',
  revokeProjectRole: 'project own',
  setIndexRole: 'index admin',
  removeIndexRole: 'index admin',
  getIndexAccess: 'index admin',
  changeIndexAccess: 'index admin',
  listPublishers: 'index known',
  addPublisher: 'index known',
  removePublisher: 'index known',
  listSigningEvents: 'server known',
  getSigningEvent: 'server known',
  getSigningEventFiles: 'server known',
  offerSigningEvent: 'server admin',
  signSigningEvent: 'server known',
  listKeyInvitations: 'server admin',
  getKeyInvitation: 'server known',
  inviteKeyHolder: 'server admin',
  acceptKeyInvitation: 'server known',
  listProjects: 'index read',
  getProject: 'project read',
  deleteProject: 'project own',
  restoreProject: 'project admin',
  setProjectStatus: 'project own',
  transferProject: 'project own',
  limitProject: 'project admin',
  previewRetention: 'project maintain',
  applyRetention: 'project own',
  promoteRelease: 'index upload',
  yankRelease: 'project maintain',
  unyankRelease: 'project maintain',
  deleteRelease: 'project own',
  yankFile: 'project maintain',
  unyankFile: 'project maintain',
  deleteFile: 'project own',
  listIndexes: 'server admin',
  createIndex: 'server admin',
  getIndexSettings: 'server admin',
  changeIndexSettings: 'server admin',
  removeIndex: 'server admin',
  listWebhooks: 'index admin',
  addWebhook: 'index admin',
  removeWebhook: 'index admin',
  testWebhook: 'index admin',
  listWebhookDeliveries: 'index admin',
  retryWebhook: 'index admin',
  getClaim: 'project upload',
  publishTransaction: 'project upload',
  listStagedFiles: 'project upload',
  getStagedFile: 'project upload',
  discardStagedFile: 'project upload',
  setStaging: 'project own',
  listProposals: 'project upload',
  getProposal: 'project upload',
  signProposal: 'project upload',
  withdrawProposal: 'project upload',
  listTakedowns: 'index read',
  addTakedown: 'index admin',
  removeTakedown: 'index admin',
};
