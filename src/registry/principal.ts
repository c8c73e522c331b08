/**
 * What somebody may want to do: read an index; upload; yank and un-yank; delete, transfer and share a project; run the server; report heads of
 * other indexes' logs. None includes another.
 */
export type Verb = 'read' | 'upload' | 'maintain' | 'own' | 'admin' | 'witness';

export const VERBS: readonly Verb[] = ['read', 'upload', 'maintain', 'own', 'admin', 'witness'];

/** A user as the database knew her when the request began. */
export interface UserPrincipal {
  readonly kind: 'user';
  readonly userId: number;
  readonly name: string;
  readonly isAdmin: boolean;
}

/** What a token is good for. */
export interface TokenScope {
  readonly tokenId: number;
  /** Undefined: every index. */
  readonly indexId: number | undefined;
  /** Undefined: every project. */
  readonly projectIds: ReadonlySet<number> | undefined;
  readonly verbs: ReadonlySet<string>;
}

/** An API token, neither expired nor revoked. With a user it may do what both may; without one its scope alone counts. */
export interface TokenPrincipal extends TokenScope {
  readonly kind: 'token';
  readonly name: string;
  readonly user: UserPrincipal | undefined;
}

/** A workflow elsewhere that showed its identity a moment ago and holds a short-lived token (trusted publishing). */
export interface OidcPrincipal extends TokenScope {
  readonly kind: 'oidc';
  readonly issuer: string;
  readonly subject: string;
}

/** Who asks. What they may do is asked with `authorize`. */
export type Principal =
  | { readonly kind: 'anonymous' }
  | UserPrincipal
  | TokenPrincipal
  | OidcPrincipal
  /** Somebody with the data folder in her hands: a command on the server's machine. */
  | { readonly kind: 'cli'; readonly name: string };

export const ANONYMOUS: Principal = { kind: 'anonymous' };

/** The principal in the audit log's words; holds no secret. */
export function actorOf(principal: Principal): string {
  switch (principal.kind) {
    case 'anonymous':
      return 'anonymous';
    case 'user':
      return `user:${principal.name}`;
    case 'token':
      return `token:${principal.tokenId}`;
    case 'oidc':
      return `oidc:${principal.issuer} ${principal.subject}`;
    case 'cli':
      return `cli:${principal.name}`;
  }
}

/** The user behind a principal, undefined when it is nobody's. */
export function userOf(principal: Principal): UserPrincipal | undefined {
  if (principal.kind === 'user') return principal;
  return principal.kind === 'token' ? principal.user : undefined;
}

/** The token a principal came with. */
export function tokenOf(principal: Principal): number | undefined {
  return principal.kind === 'token' || principal.kind === 'oidc' ? principal.tokenId : undefined;
}
