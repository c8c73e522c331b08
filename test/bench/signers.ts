import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AwsV4Signer } from 'aws4fetch';
import { generatePrivateKey, KeySigner, type SignatureScheme } from '../../src/keys/key-signer.ts';
import { openSigner } from '../../src/keys/key-uri.ts';
import { generateTokenKey } from '../../src/keys/pkcs11-keys.ts';
import { writePrivateKeyFile } from '../../src/keys/private-key-file.ts';
import { encodeCanonicalJson, ROLE_NAME_FIELD, TargetFile, Targets } from '../../src/tuf/index.ts';
import { Moto } from '../tools/moto.ts';
import { cleanEnvironment, killProcess, startProcess } from '../tools/process.ts';
import { buildRind, rindMain, scratchFolder } from '../tools/rind-program.ts';
import { SoftHsm } from '../tools/soft-hsm.ts';
import { UnavailableError } from '../tools/unavailable-error.ts';
import { VaultTransit } from '../tools/vault-transit.ts';
import { isQuick, type Table } from './report.ts';

const SECRET = 'correct horse battery';
const secret = () => Promise.resolve(SECRET);
/** Milliseconds for each figure. */
const DURATION = isQuick ? 100 : 3000;
const TOGETHER = 32;
const TARGETS = 8;

/** One kind of signer: makes keys, calls `measure` for each, and cleans up. */
type Kind = (folder: string, measure: (name: string, uri: string) => Promise<void>) => Promise<void>;

const KINDS: readonly Kind[] = [files, signerProcess, tokens, awsKms, vault];

/** Signatures a second of each kind of signer, each verified by us before it counts. */
export async function benchSigners(): Promise<Table> {
  await buildRind();
  const scratch = await scratchFolder('bench-signers');
  const rows: string[][] = [];
  const missing: string[] = [];
  for (const kind of KINDS) {
    try {
      await kind(scratch.path, async (name, uri) => void rows.push([name, ...(await measureSigner(uri))]));
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      missing.push(error.message);
    }
  }
  await scratch.remove();
  return {
    title: 'Signatures a second',
    method: `Bins with ${TARGETS} targets (${message(0).bytes.length} bytes), ${DURATION / 1000} s each, one after another and ${TOGETHER} at once; every signature is verified before it counts. The services run on this machine: there is no network in these figures.`,
    columns: ['signer', 'one after another', `${TOGETHER} at once`],
    rows,
    missing: [...missing, 'Google Cloud KMS and Azure Key Vault: there is no server of theirs to run here'],
  };
}

async function measureSigner(uri: string): Promise<string[]> {
  const signer = await openSigner(uri, { secret });
  let next = 0;
  const signOne = async () => {
    const { role, bytes } = message(next++);
    await signer.sign(bytes, { role });
  };
  for (let warm = 0; warm < TOGETHER; warm += 1) await signOne();
  const rate = async (workers: number): Promise<string> => {
    const started = performance.now();
    let count = 0;
    await Promise.all(
      Array.from({ length: workers }, async () => {
        while (performance.now() - started < DURATION) {
          await signOne();
          count += 1;
        }
      }),
    );
    return Math.round(count / ((performance.now() - started) / 1000)).toLocaleString('en');
  };
  const figures = [await rate(1), await rate(TOGETHER)];
  await signer.close();
  return figures;
}

/** The `index`-th of an endless row of bins: 256 roles, versions that rise. */
function message(index: number): { readonly role: string; readonly bytes: Uint8Array } {
  const role = `bin-${(index % 256).toString(16).padStart(2, '0')}`;
  const targets = Array.from({ length: TARGETS }, (_, number) => {
    const path = `packages/demo-${number}/demo_${number}-1.0-py3-none-any.whl`;
    return [path, new TargetFile({ path, length: 12_345, hashes: new Map([['sha256', 'ab'.repeat(32)]]) })] as const; // prettier-ignore
  });
  const bin = new Targets({
    version: Math.floor(index / 256) + 1,
    expires: new Date(Date.now() + 86_400_000),
    targets: new Map(targets),
    unrecognizedFields: new Map([[ROLE_NAME_FIELD, role]]),
  });
  return { role, bytes: encodeCanonicalJson(bin.toJson()) };
}

async function makeFile(folder: string, scheme: SignatureScheme): Promise<string> {
  const path = join(folder, `${scheme}.json`);
  await writePrivateKeyFile(path, await generatePrivateKey(scheme), SECRET);
  return `file2:${path}`;
}

async function files(folder: string, measure: Parameters<Kind>[1]): Promise<void> {
  await measure('file, Ed25519', await makeFile(folder, 'ed25519'));
  await measure('file, ECDSA P-256', await makeFile(folder, 'ecdsa-sha2-nistp256'));
  await measure('file, RSA-PSS 3072', await makeFile(folder, 'rsassa-pss-sha256'));
}

async function signerProcess(folder: string, measure: Parameters<Kind>[1]): Promise<void> {
  const privateKey = await generatePrivateKey('ed25519');
  const [path, passphrase, socket] = ['held.json', 'passphrase', join('run', 'signer.sock')].map((name) => join(folder, name)) as [string, string, string]; // prettier-ignore
  await writePrivateKeyFile(path, privateKey, SECRET);
  await writeFile(passphrase, SECRET, { mode: 0o600 });
  const args = ['signer', '--socket', socket, '--state', join(folder, 'state'), '--key', `file2:${path}`, '--secret', `file:${passphrase}`]; // prettier-ignore
  const child = startProcess(process.execPath, [rindMain, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: cleanEnvironment(),
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  await measure('rind signer, Ed25519 file behind it', `signer:${socket}#${KeySigner.fromPrivateKey(privateKey).key.keyId}`); // prettier-ignore
  killProcess(child);
}

async function tokens(folder: string, measure: Parameters<Kind>[1]): Promise<void> {
  const hsm = await SoftHsm.open(folder);
  await hsm.createToken('bench', SECRET);
  for (const [id, scheme, name] of [
    ['1', 'ed25519', 'Ed25519'],
    ['2', 'ecdsa-sha2-nistp256', 'ECDSA P-256'],
  ] as const) {
    // prettier-ignore
    await generateTokenKey(hsm.uri(id, 'bench'), scheme, { secret });
    await measure(`PKCS #11 (SoftHSM), ${name}`, hsm.uri(id, 'bench'));
  }
}

async function awsKms(_folder: string, measure: Parameters<Kind>[1]): Promise<void> {
  const moto = await Moto.start();
  const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'example' };
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_KMS: moto.url,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  });
  const body = JSON.stringify({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.CreateKey' };
  const request = await new AwsV4Signer({ url: moto.url, headers, body, service: 'kms', region: 'eu-central-1', ...credentials }).sign(); // prettier-ignore
  const made = (await (await fetch(request.url, { method: 'POST', headers: request.headers, body })).json()) as { KeyMetadata: { KeyId: string } }; // prettier-ignore
  await measure('AWS KMS (moto), ECDSA P-256', `awskms:${made.KeyMetadata.KeyId}`);
  moto.stop();
}

async function vault(_folder: string, measure: Parameters<Kind>[1]): Promise<void> {
  const engine = await VaultTransit.start();
  Object.assign(process.env, { VAULT_ADDR: engine.url, VAULT_TOKEN: engine.token });
  await engine.write('keys/ed', { type: 'ed25519' });
  await measure('Vault transit (its engine), Ed25519', 'hv:ed/1');
  await engine.write('keys/ec', { type: 'ecdsa-p256' });
  await measure('Vault transit (its engine), ECDSA P-256', 'hv:ec/1');
  engine.stop();
}
