import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { connect, createServer as createTlsServer } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { authorityCertificate, serverCertificate } from './certificate.ts';
import { RunAuthority } from './run-authority.ts';

/** What a TLS client that trusts the authority says about a server with this certificate. */
async function verdictOf(server: { cert: string; key: string }, ca: string, host: string): Promise<string> {
  const listener = createTlsServer(server, (socket) => socket.end());
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  try {
    return await new Promise<string>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', servername: host, ca }, () => {
        resolve('trusted');
        socket.destroy();
      });
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  } finally {
    listener.close();
  }
}

describe('RunAuthority', () => {
  it('speaks for its hosts, for a day', async () => {
    const now = new Date();
    const authority = new RunAuthority(['packages.example.org', '10.1.2.3'], now);
    const certificate = new X509Certificate(authority.certificate);
    expect(certificate.ca).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(Date.parse(certificate.validTo) - now.getTime()).toBeLessThanOrEqual(86_400_000);
    const issued = authority.issue('packages.example.org');
    expect(await verdictOf(issued, authority.certificate, 'packages.example.org')).toBe('trusted');
    expect(await verdictOf(issued, authority.certificate, 'other.example.org')).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
    expect(new X509Certificate(authority.issue('10.1.2.3').cert).checkIP('10.1.2.3')).toBe('10.1.2.3');
  });

  it('issues nothing for another host, and exists for no host not at all', () => {
    const authority = new RunAuthority(['packages.example.org']);
    expect(() => authority.issue('pypi.org')).toThrow(TypeError);
    expect(() => authority.contextFor('evil.example.org')).toThrow(TypeError);
    expect(() => new RunAuthority([])).toThrow(TypeError);
  });

  it('has a name of its own in every run', () => {
    const names = [1, 2].map(() => new X509Certificate(new RunAuthority(['a.example']).certificate).subject);
    expect(new Set(names).size).toBe(2);
  });

  it('is useless for other hosts even to whoever has its key', async () => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const server = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const terms = {
      issuer: 'A',
      subjectKey: keys.publicKey,
      issuerKeys: keys,
      notBefore: new Date(Date.now() - 1000),
      notAfter: new Date(Date.now() + 60_000),
    };
    const key = server.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    const ca = authorityCertificate({ ...terms, subject: 'A' }, ['packages.example.org']);
    for (const [host, verdict] of [
      ['packages.example.org', 'trusted'],
      ['pypi.org', 'PERMITTED_VIOLATION'],
      ['packages.example.org.evil.example', 'PERMITTED_VIOLATION'],
    ] as const) {
      const cert = serverCertificate({ ...terms, subject: 'B', subjectKey: server.publicKey }, host);
      expect([host, await verdictOf({ cert, key }, ca, host)]).toEqual([
        host,
        verdict === 'trusted' ? 'trusted' : expect.not.stringMatching(/^trusted$/),
      ]);
    }
    const addressOnly = authorityCertificate({ ...terms, subject: 'A' }, ['10.1.2.3', '2001:db8::1']);
    const cert = serverCertificate({ ...terms, subject: 'B', subjectKey: server.publicKey }, 'pypi.org');
    expect(await verdictOf({ cert, key }, addressOnly, 'pypi.org')).not.toBe('trusted');
  });
});
