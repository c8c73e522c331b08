import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ServiceClient, objectOf, stringOf } from './service-client.ts';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Milliseconds since 1970; absent for keys that do not expire. */
  readonly expires?: number;
}

/** Credentials are renewed this long before they expire. Milliseconds. */
const RENEW_BEFORE = 5 * 60_000;
/** The instance's own services answer at once or are not there. */
const METADATA_TIMEOUT = 2000;
const ECS_HOST = 'http://169.254.170.2';
const INSTANCE_HOST = 'http://169.254.169.254';

/**
 * The credentials of the surroundings, in the order of the AWS SDKs: environment, web identity (OIDC, IRSA), shared file, container,
 * instance. Kept until shortly before they expire.
 */
export class AwsCredentialChain {
  readonly #client: ServiceClient;
  readonly #region: string;
  #current: AwsCredentials | undefined;

  constructor(uri: string, region: string, fetcher?: typeof fetch) {
    this.#client = new ServiceClient('AWS', uri, fetcher);
    this.#region = region;
  }

  /** Throws NO_CREDENTIALS. */
  async get(now = Date.now()): Promise<AwsCredentials> {
    const { expires } = this.#current ?? {};
    if (this.#current !== undefined && (expires === undefined || now < expires - RENEW_BEFORE)) {
      return this.#current;
    }
    const sources = [fromEnvironment, this.#fromWebIdentity, fromSharedFile, this.#fromContainer, this.#fromInstance]; // prettier-ignore
    for (const source of sources) {
      const found = await source();
      if (found !== undefined) return (this.#current = found);
    }
    throw this.#client.noCredentials(
      'There are no AWS credentials here: no AWS_ACCESS_KEY_ID, no AWS_WEB_IDENTITY_TOKEN_FILE, no profile in ~/.aws/credentials, no role of a container or instance.',
    );
  }

  readonly #fromWebIdentity = async (): Promise<AwsCredentials | undefined> => {
    const { AWS_WEB_IDENTITY_TOKEN_FILE: path, AWS_ROLE_ARN: role } = process.env;
    if (path === undefined || role === undefined) return undefined;
    const url = process.env['AWS_ENDPOINT_URL_STS'] ?? `https://sts.${this.#region}.amazonaws.com/`;
    const prepare = async () => ({
      method: 'POST' as const,
      url,
      headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleArn: role,
        RoleSessionName: process.env['AWS_ROLE_SESSION_NAME'] ?? 'rind',
        WebIdentityToken: (await readFile(path, 'utf8')).trim(),
      }).toString(),
    });
    const answer = await this.#client.json(prepare, 'to assume the role of the web identity');
    const response = objectOf(answer, 'AssumeRoleWithWebIdentityResponse');
    const made = objectOf(objectOf(response, 'AssumeRoleWithWebIdentityResult'), 'Credentials');
    const found = readCredentials(made, 'SessionToken', Number(made?.['Expiration']) * 1000);
    if (found === undefined) throw this.#client.malformed('the request to assume a role');
    return found;
  };

  readonly #fromContainer = async (): Promise<AwsCredentials | undefined> => {
    const {
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: full,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: path,
    } = process.env;
    const url = relative === undefined ? full : `${ECS_HOST}${relative}`;
    if (url === undefined) return undefined;
    const token = path === undefined ? undefined : (await readFile(path, 'utf8')).trim();
    const headers = token === undefined ? {} : { authorization: token };
    const { json } = await this.#client.once({ method: 'GET', url, headers }, METADATA_TIMEOUT);
    return readCredentials(json, 'Token', Date.parse(stringOf(json, 'Expiration') ?? ''));
  };

  readonly #fromInstance = async (): Promise<AwsCredentials | undefined> => {
    if (process.env['AWS_EC2_METADATA_DISABLED'] === 'true') return undefined;
    const ask = (method: 'GET' | 'PUT', path: string, headers: Record<string, string>) =>
      this.#client.once({ method, url: `${INSTANCE_HOST}/latest/${path}`, headers }, METADATA_TIMEOUT);
    try {
      const session = await ask('PUT', 'api/token', { 'x-aws-ec2-metadata-token-ttl-seconds': '60' });
      if (session.status !== 200) return undefined;
      const headers = { 'x-aws-ec2-metadata-token': session.text };
      const folder = 'meta-data/iam/security-credentials/';
      const role = await ask('GET', folder, headers);
      if (role.status !== 200) return undefined;
      const { json } = await ask('GET', `${folder}${role.text.trim()}`, headers);
      return readCredentials(json, 'Token', Date.parse(stringOf(json, 'Expiration') ?? ''));
    } catch {
      // No instance of EC2.
      return undefined;
    }
  };
}

function fromEnvironment(): AwsCredentials | undefined {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
  if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined) return undefined;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }),
  };
}

/** Static keys of a profile; profiles that assume roles or ask for SSO are for the SDKs. */
async function fromSharedFile(): Promise<AwsCredentials | undefined> {
  const path = process.env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(homedir(), '.aws', 'credentials');
  const text = await readFile(path, 'utf8').catch(() => '');
  const wanted = process.env['AWS_PROFILE'] ?? 'default';
  const values = new Map<string, string>();
  let profile: string | undefined;
  for (const line of text.split('\n')) {
    profile = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line)?.[1] ?? profile;
    const at = line.indexOf('=');
    if (profile === wanted && at > 0) values.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  const [accessKeyId, secretAccessKey] = [values.get('aws_access_key_id'), values.get('aws_secret_access_key')]; // prettier-ignore
  const sessionToken = values.get('aws_session_token');
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

function readCredentials(
  json: Readonly<Record<string, unknown>> | undefined,
  tokenName: string,
  expires: number,
): AwsCredentials | undefined {
  const [accessKeyId, secretAccessKey, sessionToken] = [
    stringOf(json, 'AccessKeyId'),
    stringOf(json, 'SecretAccessKey'),
    stringOf(json, tokenName),
  ];
  if (accessKeyId === undefined || secretAccessKey === undefined || sessionToken === undefined)
    return undefined;
  return { accessKeyId, secretAccessKey, sessionToken, expires: Number.isNaN(expires) ? 0 : expires };
}
