import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';

/** The variables by which people say which authorities count, for any tool. */
const VARIABLES = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'PIP_CERT', 'CURL_CA_BUNDLE'];

/** Where systems keep theirs: Debian and Alpine, Fedora, older Fedora, SUSE, macOS and BSD. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

const MAX_LENGTH = 8 * 2 ** 20;

/**
 * The authorities that count for this user, PEM: those she names in the environment, otherwise the system's, otherwise
 * those that come with Node; and in any case those she has Node trust beside others.
 */
export async function userRootCertificates(environment: NodeJS.ProcessEnv): Promise<string> {
  const extra = await readPem(environment['NODE_EXTRA_CA_CERTS'] ?? '');
  return [...(await namedOrUsual(environment)), ...(extra === undefined ? [] : [extra])].join('\n');
}

async function namedOrUsual(environment: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const named = new Set(VARIABLES.map((name) => environment[name] ?? '').filter((path) => path !== ''));
  const texts = await Promise.all([...named].map((path) => readPem(path)));
  const given = texts.filter((text) => text !== undefined);
  if (given.length > 0) return given;
  for (const path of SYSTEM_FILES) {
    const text = await readPem(path);
    if (text !== undefined) return [text];
  }
  return rootCertificates;
}

async function readPem(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    return text.length <= MAX_LENGTH && text.includes('-----BEGIN CERTIFICATE-----') ? text : undefined;
  } catch {
    return undefined;
  }
}
