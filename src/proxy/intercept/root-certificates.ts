import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';

/** The variables by which people say which authorities count, for any tool. */
const VARIABLES = [
  'SSL_CERT_FILE',
  'REQUESTS_CA_BUNDLE',
  'PIP_CERT',
  'CURL_CA_BUNDLE',
  'NODE_EXTRA_CA_CERTS',
];

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
 * those that come with Node.
 */
export async function userRootCertificates(environment: NodeJS.ProcessEnv): Promise<string> {
  const named = VARIABLES.map((name) => environment[name]).filter(
    (path) => path !== undefined && path !== '',
  );
  const texts = await Promise.all([...new Set(named)].map((path) => readPem(path ?? '')));
  const given = texts.filter((text) => text !== undefined);
  if (given.length > 0) return given.join('\n');
  for (const path of SYSTEM_FILES) {
    const text = await readPem(path);
    if (text !== undefined) return text;
  }
  return `${rootCertificates.join('\n')}\n`;
}

async function readPem(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    return text.length <= MAX_LENGTH && text.includes('-----BEGIN CERTIFICATE-----') ? text : undefined;
  } catch {
    return undefined;
  }
}
