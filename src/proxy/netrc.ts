import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const MAX_SIZE = 1024 ** 2;

/**
 * The Authorization header that the user's netrc has for a host: pip and uv read the same file. `$NETRC` names another one.
 * Undefined when there is no file or no entry; the `default` entry counts for nobody, it would give secrets to any host.
 */
export function netrcAuthorization(
  url: string,
  environment: Readonly<Record<string, string | undefined>>,
  home: string,
): string | undefined {
  const path = environment['NETRC'] ?? join(home, '.netrc');
  const text = readText(path);
  const entry = text.length > MAX_SIZE ? undefined : findEntry(text, new URL(url).hostname);
  if (entry === undefined) return undefined;
  return `Basic ${Buffer.from(`${entry.login}:${entry.password}`, 'utf8').toString('base64')}`;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The first entry of exactly that machine. Macros and comments are passed over. */
export function findEntry(
  text: string,
  host: string,
): { readonly login: string; readonly password: string } | undefined {
  const lines = text.split(/\r?\n/).filter((line) => !line.trimStart().startsWith('#'));
  const words = lines.join('\n').split(/\s+/);
  let machine: string | undefined;
  let login = '';
  let password: string | undefined;
  const found = (): { login: string; password: string } | undefined =>
    machine === host && password !== undefined ? { login, password } : undefined;
  for (let position = 0; position < words.length; position += 1) {
    const word = words[position];
    if (word === 'machine' || word === 'default') {
      const entry = found();
      if (entry !== undefined) return entry;
      machine = word === 'machine' ? words[(position += 1)] : undefined;
      login = '';
      password = undefined;
    } else if (word === 'login') login = words[(position += 1)] ?? '';
    else if (word === 'password') password = words[(position += 1)];
    else if (word === 'account') position += 1;
  }
  return found();
}
