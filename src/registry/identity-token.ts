import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { RegistryError } from './errors.ts';
import { IssuerError, IssuerKeys } from './oidc-keys.ts';
import type { Claims } from './publisher-rule.ts';
import type { Issuer, PublishingSettings } from './publishing-settings.ts';

/** PyPI's codes for what is wrong with an identity token. */
export type MintErrorCode =
  | 'invalid-payload'
  | 'invalid-token'
  | 'invalid-publisher'
  | 'invalid-pending-publisher'
  | 'invalid-reuse-token';

/** An identity token got no upload token; the message repeats nothing of it but its issuer's opinion of who it is. */
export class MintError extends Error {
  override readonly name = 'MintError';
  readonly code: MintErrorCode;

  constructor(code: MintErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An identity that an issuer vouches for. */
export interface Identity {
  readonly issuer: Issuer;
  readonly subject: string;
  readonly tokenId: string;
  readonly expires: Date;
  readonly claims: Claims;
}

const LONGEST = 16 * 1024;
/** Signatures only; never `none`, never a shared secret. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** Verifies identity tokens (JWTs of OpenID Connect); remembers the issuers' keys. */
export class IdentityVerifier {
  readonly #settings: PublishingSettings;
  readonly #keys = new Map<string, IssuerKeys>();
  readonly #now: (() => number) | undefined;

  /** `now` in milliseconds, monotonic, for the age of the issuers' keys. */
  constructor(settings: PublishingSettings, now?: () => number) {
    this.#settings = settings;
    this.#now = now;
  }

  /** The configured issuer that a token says it is from; nothing is verified yet, and nobody is asked. @throws MintError */
  issuerOf(token: string): Issuer {
    if (token.length > LONGEST) throw new MintError('invalid-payload', 'The identity token is too long.');
    let named: unknown;
    try {
      named = decodeJwt(token).iss;
    } catch (cause) {
      throw new MintError('invalid-payload', 'The identity token is no JWT.', { cause });
    }
    const issuer = this.#settings.issuers.find(({ url }) => url === named);
    if (issuer === undefined) {
      throw new MintError('invalid-payload', 'The issuer of the identity token is not trusted here.');
    }
    return issuer;
  }

  /** @throws MintError invalid-token; RegistryError BUSY when the issuer cannot be asked for its keys */
  async verify(token: string, issuer: Issuer, audience: string, now: Date): Promise<Identity> {
    try {
      const { kid } = decodeProtectedHeader(token);
      const keys = await this.#keysOf(issuer).forKey(kid);
      const { payload } = await jwtVerify(token, keys, {
        issuer: issuer.url,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: this.#settings.clockSkew,
        currentDate: now,
        requiredClaims: ['exp', 'iat', 'jti', 'sub'],
      });
      return this.#identity(issuer, payload, now);
    } catch (cause) {
      if (cause instanceof MintError) throw cause;
      if (cause instanceof IssuerError) {
        throw new RegistryError('BUSY', `${issuer.url} could not be asked for its keys: try again.`, {
          retryAfter: 10,
          cause,
        });
      }
      throw new MintError('invalid-token', `The identity token does not verify${reasonOf(cause)}.`, {
        cause,
      });
    }
  }

  #identity(issuer: Issuer, claims: Claims, now: Date): Identity {
    const { sub, jti, exp, iat } = claims;
    const latest = now.getTime() / 1000 + this.#settings.clockSkew;
    const isComplete =
      typeof sub === 'string' && sub !== '' && typeof jti === 'string' && jti !== '' && jti.length <= 500;
    if (!isComplete || typeof exp !== 'number' || typeof iat !== 'number') {
      throw new MintError('invalid-token', 'The identity token lacks sub, jti, exp or iat.');
    }
    if (iat > latest) throw new MintError('invalid-token', 'The identity token is from the future.');
    if (exp > latest + this.#settings.longestIdentity) {
      throw new MintError('invalid-token', 'The identity token is valid for too long.');
    }
    return { issuer, subject: sub.slice(0, 500), tokenId: jti, expires: new Date(exp * 1000), claims };
  }

  #keysOf({ url }: Issuer): IssuerKeys {
    const known = this.#keys.get(url);
    if (known !== undefined) return known;
    const keys = new IssuerKeys(url, this.#now);
    this.#keys.set(url, keys);
    return keys;
  }
}

/** jose's codes, in words; its messages may quote the token. */
function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  switch (code) {
    case 'ERR_JWT_EXPIRED':
      return ': it has expired';
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
      return ': its signature is wrong';
    case 'ERR_JWKS_NO_MATCHING_KEY':
      return ': its key is not one of the issuer';
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
      return ': its algorithm is not allowed';
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED': {
      const claim = cause instanceof Error && 'claim' in cause ? cause.claim : undefined;
      return typeof claim === 'string' && /^[a-z]{2,20}$/.test(claim) ? `: its ${claim} is not right` : '';
    }
    default:
      return '';
  }
}
