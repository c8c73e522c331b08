import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { authorityCertificate, serverCertificate, type KeyPair } from './certificate.ts';

const HOUR = 3_600_000;
const LIFETIME = 24 * HOUR;

/**
 * A certificate authority made for one run. Its key lives in the memory of this process alone; its certificate speaks for
 * the given hosts only, for a day, and is trusted by nobody but the processes that are given it.
 */
export class RunAuthority {
  /** PEM. */
  readonly certificate: string;
  readonly #hosts: ReadonlySet<string>;
  readonly #name: string;
  readonly #keys: KeyPair;
  readonly #contexts = new Map<string, SecureContext>();
  readonly #notBefore: Date;
  readonly #notAfter: Date;

  /** @param hosts names or addresses, lower-case, without brackets; at least one */
  constructor(hosts: readonly string[], now: Date = new Date()) {
    if (hosts.length === 0) throw new TypeError('An authority for no host would speak for all of them.');
    this.#hosts = new Set(hosts);
    this.#name = `Rind, this run only (${randomBytes(6).toString('hex')})`;
    this.#keys = newKeys();
    // Clocks of a machine and its containers differ a little.
    this.#notBefore = new Date(now.getTime() - HOUR);
    this.#notAfter = new Date(now.getTime() + LIFETIME);
    this.certificate = authorityCertificate(this.#terms(this.#name, this.#keys), [...this.#hosts]);
  }

  /** What a TLS server for the host needs. */
  contextFor(host: string): SecureContext {
    const known = this.#contexts.get(host);
    if (known !== undefined) return known;
    const { cert, key } = this.issue(host);
    const context = createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
    this.#contexts.set(host, context);
    return context;
  }

  /** A certificate for one of the hosts, and its key; PEM. */
  issue(host: string): { readonly cert: string; readonly key: string } {
    if (!this.#hosts.has(host)) throw new TypeError(`This authority does not speak for ${host}.`);
    const keys = newKeys();
    const cert = serverCertificate(this.#terms('Rind, a server in this run', keys), host);
    return { cert, key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
  }

  #terms(subject: string, keys: KeyPair): Parameters<typeof serverCertificate>[0] {
    return {
      issuer: this.#name,
      subject,
      subjectKey: keys.publicKey,
      issuerKeys: this.#keys,
      notBefore: this.#notBefore,
      notAfter: this.#notAfter,
    };
  }
}

function newKeys(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}
