import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UnavailableError } from './unavailable-error.ts';

/** A certificate for 127.0.0.1 that signs itself, in `cert.pem` of the folder with its key in `key.pem`. Throws UnavailableError. */
export async function makeCertificate(folder: string): Promise<string> {
  const names = ['-subj', '/CN=rind-test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem'), '-days', '2'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  // Clients of the Rust libraries take a certificate of a server only when it is none of an authority.
  const use = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'extendedKeyUsage=serverAuth'];
  try {
    execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...names, ...use], { stdio: 'pipe' });
  } catch (cause) {
    throw new UnavailableError(`openssl cannot make a certificate: ${String(cause)}`);
  }
  return readFile(join(folder, 'cert.pem'), 'utf8');
}
