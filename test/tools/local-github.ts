import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';

/** GitHub Actions as far as publishing sees it: gives a job identity tokens, and publishes the keys they are signed with. */
export class LocalGitHub {
  readonly #server: Server;
  #key: CryptoKey | undefined;
  #serial = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<LocalGitHub> {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256' };
    const server = createServer((request, response) => {
      const send = (value: object): void => {
        response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
      };
      const url = new URL(request.url ?? '/', github.url);
      if (url.pathname === '/keys') send({ keys: [jwk] });
      else if (url.pathname !== '/token') send({ issuer: github.url, jwks_uri: `${github.url}/keys` });
      else if (request.headers.authorization?.toLowerCase() !== 'bearer of-this-job')
        response.writeHead(401).end();
      else {
        github.#identity(url.searchParams.get('audience') ?? '').then(
          (value) => send({ value }),
          (error: unknown) => response.destroy(error as Error),
        );
      }
    });
    const github: LocalGitHub = new LocalGitHub(server);
    github.#key = privateKey;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return github;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What a job with `id-token: write` finds in its environment. */
  get environment(): Record<string, string> {
    return {
      GITHUB_ACTIONS: 'true',
      ACTIONS_ID_TOKEN_REQUEST_URL: `${this.url}/token?api-version=2`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-this-job',
    };
  }

  async #identity(audience: string): Promise<string> {
    if (this.#key === undefined) throw new Error('there is no key yet');
    this.#serial += 1;
    const claims = {
      sub: 'repo:cheese/shop:environment:pypi',
      repository: 'cheese/shop',
      repository_owner: 'cheese',
      repository_owner_id: '7',
      workflow_ref: 'cheese/shop/.github/workflows/release.yml@refs/heads/main',
      job_workflow_ref: 'cheese/shop/.github/workflows/release.yml@refs/heads/main',
      ref: 'refs/heads/main',
      sha: 'a'.repeat(40),
      environment: 'pypi',
      event_name: 'release',
    };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'one', typ: 'JWT' })
      .setIssuer(this.url)
      .setAudience(audience)
      .setJti(`identity-${this.#serial}`)
      .setIssuedAt()
      .setNotBefore('0s')
      .setExpirationTime('5m')
      .sign(this.#key);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
