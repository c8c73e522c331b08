import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { userRootCertificates } from './root-certificates.ts';
import { RunAuthority } from './run-authority.ts';

let folder: string;
const [mine, another] = ['mine.test', 'another.test'].map((host) => new RunAuthority([host]).certificate);
const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-roots-'));
  await writeFile(path('mine.pem'), mine ?? '');
  await writeFile(path('another.pem'), another ?? '');
  await writeFile(path('nothing.pem'), 'no certificate at all');
});

afterAll(() => rm(folder, { recursive: true }));

it.each(['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'PIP_CERT', 'CURL_CA_BUNDLE'])(
  'trusts the authorities of %s and no others',
  async (name) => {
    expect(await userRootCertificates({ [name]: path('mine.pem') })).toBe(mine);
  },
);

it('trusts those of NODE_EXTRA_CA_CERTS beside others', async () => {
  const both = { SSL_CERT_FILE: path('mine.pem'), NODE_EXTRA_CA_CERTS: path('another.pem') };
  expect(await userRootCertificates(both)).toBe(`${mine}\n${another}`);
  const usual = await userRootCertificates({});
  expect(await userRootCertificates({ NODE_EXTRA_CA_CERTS: path('another.pem') })).toBe(
    `${usual}\n${another}`,
  );
});

it('goes by the usual ones where a variable names no certificates', async () => {
  const usual = await userRootCertificates({});
  expect(usual).toContain('-----BEGIN CERTIFICATE-----');
  for (const name of ['nothing.pem', 'missing.pem'])
    expect(await userRootCertificates({ SSL_CERT_FILE: path(name) })).toBe(usual);
});
