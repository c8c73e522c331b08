import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Where a proxy listens: installers know files by their URL, so the same address again lets their caches do their work. */
export interface ProxyAddress {
  /** 0 while none was chosen. */
  readonly port: number;
  /** First segment of every path; cannot be guessed. */
  readonly token: string;
}

/** A token that cannot be guessed: 192 random bits. */
export function createToken(): string {
  return randomBytes(24).toString('base64url');
}

/** The address kept in this file, or a new one without port when there is none or it is damaged. */
export async function readProxyAddress(path: string): Promise<ProxyAddress> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const [, port = '', token = ''] = /^([0-9]{1,5}) ([A-Za-z0-9_-]{32})\n$/.exec(text) ?? [];
  const isUsable = token !== '' && Number(port) > 0 && Number(port) < 65_536;
  return isUsable ? { port: Number(port), token } : { port: 0, token: createToken() };
}

/** Keeps the address for the next time, for this user only. */
export async function writeProxyAddress(path: string, { port, token }: ProxyAddress): Promise<void> {
  await chmod(dirname(path), 0o700);
  const draft = join(dirname(path), `.address-${randomUUID()}`);
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${port} ${token}\n`);
  } finally {
    await file.close();
  }
  await rename(draft, path);
}
