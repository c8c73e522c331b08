/** What kind of rule the publishers of an issuer have. */
export type IssuerKind = 'github' | 'gitlab' | 'claims';

/** Somebody who vouches for workflows (an OpenID Connect issuer). */
export interface Issuer {
  /** As it stands in the tokens' `iss`, without a final slash unless the issuer writes one. https, or http on this machine. */
  readonly url: string;
  readonly kind: IssuerKind;
}

/** Trusted publishing: whom to believe, and for how long. */
export interface PublishingSettings {
  readonly issuers: readonly Issuer[];
  /** What identity tokens must be made for. The server's public URL when absent: a token for another server is good for nothing here. */
  readonly audience?: string;
  /** Seconds an upload token lives. */
  readonly tokenLifetime: number;
  /** Seconds by which clocks may differ. */
  readonly clockSkew: number;
  /** Seconds an identity token may be valid for at most: so long its use is remembered. */
  readonly longestIdentity: number;
}

export const DEFAULT_PUBLISHING_SETTINGS: PublishingSettings = {
  issuers: [
    { url: 'https://token.actions.githubusercontent.com', kind: 'github' },
    { url: 'https://gitlab.com', kind: 'gitlab' },
  ],
  tokenLifetime: 900,
  clockSkew: 60,
  longestIdentity: 86_400,
};
