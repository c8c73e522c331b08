import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { addFileOnce } from '../ceremony/durable-folder.ts';
import { encodePublicKey } from '../ceremony/public-key-file.ts';
import { encodeCeremonyJson } from '../ceremony/ceremony-json.ts';
import { askNewOnTerminal } from '../keys/terminal-secret.ts';
import { generatePrivateKey, KeySigner } from '../keys/key-signer.ts';
import { openSigner, schemeOfKeyUri } from '../keys/key-uri.ts';
import { writePrivateKeyFile } from '../keys/private-key-file.ts';
import { publicKeyPem } from '../keys/public-keys.ts';
import { parseSecretSource } from '../keys/secret-source.ts';
import type { JsonValue } from '../tuf/json.ts';
import type { Key } from '../tuf/key.ts';
import { CliError } from './cli-error.ts';
import type { NewKeyOptions, ShowKeyOptions } from './commands/key.ts';
import { developerKeyPath } from './developer-key.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** A key to show, and what else is known of it. */
interface Shown {
  readonly key: Key;
  readonly note: string;
}

/** `rind key new` */
export async function makeKey(named: string | undefined, options: NewKeyOptions): Promise<ExitCode> {
  const uri = named ?? (await newDeveloperKey());
  const kind = schemeOfKeyUri(uri);
  let key: Key;
  if (kind === 'file2') key = await makeKeyFile(uri, options);
  else if (kind === 'hsm') key = await makeTokenKey(uri, options);
  else if (kind === 'derived') key = await deriveKey(uri, options);
  else {
    throw new CliError(
      'usage',
      `Keys are made in files (file2:) and tokens (hsm:), or derived from a passphrase (derived:), not in "${uri}".`,
      ['make keys of a service with its own tools, then: rind key show URI'],
    );
  }
  if (options.public !== undefined && (await addFileOnce(options.public, encodePublicKey(key))) === 'exists')
    throw new CliError('failure', `${options.public} exists and is never overwritten.`, [
      'the key was made; show it: rind key show',
    ]);
  return EXIT.ok;
}

async function newDeveloperKey(): Promise<string> {
  const path = developerKeyPath();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  return `file2:${path}`;
}

async function makeKeyFile(uri: string, { scheme, secret }: NewKeyOptions): Promise<Key> {
  const path = uri.slice('file2:'.length);
  const passphrase = await newSecret(uri, `the key file ${path}`, secret);
  const privateKey = await generatePrivateKey(scheme);
  await writePrivateKeyFile(path, privateKey, passphrase);
  const { key } = KeySigner.fromPrivateKey(privateKey);
  print(`key ${key.keyId}`);
  say(`made ${path}; keep it and its passphrase apart, and keep a copy of both`);
  return key;
}

/** Nothing is stored: the same name and passphrase give the same key on any machine. */
async function deriveKey(uri: string, { secret }: NewKeyOptions): Promise<Key> {
  const passphrase = await newSecret(uri, `the key ${uri}`, secret);
  const signer = await openSigner(uri, { secret: async () => passphrase });
  await signer.close();
  print(`key ${signer.key.keyId}`);
  say('nothing was stored: this name and this passphrase are the key');
  return signer.key;
}

async function newSecret(uri: string, subject: string, secret: string): Promise<string> {
  return secret === 'terminal'
    ? askNewOnTerminal(subject)
    : parseSecretSource(secret)({ kind: 'passphrase', uri, subject });
}

async function makeTokenKey(uri: string, { scheme, secret, label }: NewKeyOptions): Promise<Key> {
  if (scheme === 'rsassa-pss-sha256')
    throw new CliError('usage', 'Tokens make Ed25519 and ECDSA P-256 keys here, no RSA keys.');
  const { generateTokenKey } = await import('../keys/pkcs11-keys.ts');
  const key = await generateTokenKey(uri, scheme, {
    secret: parseSecretSource(secret),
    ...(label === undefined ? {} : { label }),
  });
  print(`key ${key.keyId}`);
  say('the private half cannot leave the token: a second token with another key is the only backup');
  return key;
}

/** `rind key show` */
export async function showKey(uri: string, options: ShowKeyOptions): Promise<ExitCode> {
  const shown = await keysOf(uri, options);
  if (options.json === true) {
    const keys = new Map<string, JsonValue>(shown.map(({ key }) => [key.keyId, key.toJson()]));
    print(Buffer.from(encodeCeremonyJson(keys)).toString());
  } else if (options.pem === true) {
    print(shown.map(({ key }) => publicKeyPem(key).trimEnd()).join('\n'));
  } else {
    for (const { key, note } of shown) print(`key ${key.keyId} ${key.scheme}${note}`);
  }
  if (shown.length === 0) say('there is no key that could sign');
  return EXIT.ok;
}

async function keysOf(uri: string, { secret }: ShowKeyOptions): Promise<readonly Shown[]> {
  if (/^hsm:(\?|$)/.test(uri)) {
    const { listTokenKeys } = await import('../keys/pkcs11-keys.ts');
    const found = await listTokenKeys(uri);
    return found.flatMap(({ id, label, key }) =>
      key === undefined ? [] : [{ key, note: ` hsm:${id} ${JSON.stringify(label)}` }],
    );
  }
  if (uri.startsWith('signer:') && !uri.includes('#')) {
    const { listSocketKeys } = await import('../keys/socket-signer.ts');
    return (await listSocketKeys(uri)).map((key) => ({ key, note: '' }));
  }
  const signer = await openSigner(uri, { secret: parseSecretSource(secret) });
  await signer.close();
  return [{ key: signer.key, note: '' }];
}
