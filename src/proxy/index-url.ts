import { isIPv4 } from 'node:net';

export type IndexUrlErrorCode = 'not-a-url' | 'unsupported-scheme' | 'unencrypted' | 'credentials' | 'query';

/** A text that cannot name an index; the message says why. */
export class IndexUrlError extends Error {
  readonly code: IndexUrlErrorCode;

  constructor(code: IndexUrlErrorCode, message: string) {
    super(message);
    this.name = 'IndexUrlError';
    this.code = code;
  }
}

/**
 * The base URL of an index in its one form: `https://host/prefix/`, always with the final slash. The URL of its
 * `simple/` list, which people know from pip, names the same index.
 *
 * `http:` is refused unless the host is this machine or `allowUnencrypted` is set: signatures keep what is installed
 * honest over any transport, but everybody on the way sees which packages somebody asks for.
 *
 * @throws IndexUrlError
 */
export function parseIndexUrl(text: string, options: { readonly allowUnencrypted?: boolean } = {}): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') {
    throw new IndexUrlError(
      'not-a-url',
      `'${text}' is not the URL of an index, such as https://packages.example.org/.`,
    );
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new IndexUrlError('unsupported-scheme', `An index is reached over https, not '${url.protocol}'.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new IndexUrlError('credentials', 'The URL of an index must not carry a user name or password.');
  }
  if (url.search !== '' || url.hash !== '') {
    throw new IndexUrlError('query', 'The URL of an index must not have a query or a fragment.');
  }
  if (url.protocol === 'http:' && options.allowUnencrypted !== true && !isLoopback(url.hostname)) {
    throw new IndexUrlError(
      'unencrypted',
      `${url.href} is not encrypted: everybody on the way could see which packages are asked for.`,
    );
  }
  url.pathname = `${url.pathname.replace(/\/$/, '')}/`.replace(/\/simple\/$/, '/');
  return url.href;
}

/** Whether a host of a URL is this machine: `127.evil.example` is not, although it begins like one. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' || hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'))
  );
}
