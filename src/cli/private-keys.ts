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
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** A key to show, and what else is known of it. */
interface Shown {
  readonly key: Key;
  readonly note: string;
}

/** `rind key new` */
export async function makeKey(uri: string, options: NewKeyOptions): Promise<ExitCode> {
  const kind = schemeOfKeyUri(uri);
  if (kind === 'file2') await makeKeyFile(uri, options);
  else if (kind === 'hsm') await makeTokenKey(uri, options);
  else {
    throw new CliError('usage', `Keys are made in files (file2:) and tokens (hsm:), not in "${uri}".`, [
      'make keys of a service with its own tools, then: rind key show URI',
    ]);
  }
  return EXIT.ok;
}

async function makeKeyFile(uri: string, { scheme, secret }: NewKeyOptions): Promise<void> {
  const path = uri.slice('file2:'.length);
  const subject = `the key file ${path}`;
  const passphrase =
    secret === 'terminal'
      ? await askNewOnTerminal(subject)
      : await parseSecretSource(secret)({ kind: 'passphrase', uri, subject });
  const privateKey = await generatePrivateKey(scheme);
  await writePrivateKeyFile(path, privateKey, passphrase);
  print(`key ${KeySigner.fromPrivateKey(privateKey).key.keyId}`);
  say(`made ${path}; keep it and its passphrase apart, and keep a copy of both`);
}

async function makeTokenKey(uri: string, { scheme, secret, label }: NewKeyOptions): Promise<void> {
  if (scheme === 'rsassa-pss-sha256')
    throw new CliError('usage', 'Tokens make Ed25519 and ECDSA P-256 keys here, no RSA keys.');
  const { generateTokenKey } = await import('../keys/pkcs11-keys.ts');
  const key = await generateTokenKey(uri, scheme, {
    secret: parseSecretSource(secret),
    ...(label === undefined ? {} : { label }),
  });
  print(`key ${key.keyId}`);
  say('the private half cannot leave the token: a second token with another key is the only backup');
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
