import { isIP } from 'node:net';

/** A host and port that a client wants to reach. */
export interface Authority {
  /** Lower-case, without brackets and without the dot at the end. */
  readonly hostname: string;
  readonly port: number;
}

/** Reads `host:port`, the target of CONNECT. */
export function parseAuthority(text: string): Authority | undefined {
  const match = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253}):([0-9]{1,5})$/i.exec(text);
  const [, host = '', digits = ''] = match ?? [];
  const port = Number(digits);
  if (match === null || port < 1 || port > 65_535) return undefined;
  return { hostname: plainHostname(host), port };
}

/** Reads an absolute `http://host[:port]/path` without credentials; `path` is as it was received. */
export function parseHttpTarget(text: string): (Authority & { readonly path: string }) | undefined {
  const match = /^http:\/\/([^/?#@]+)(\/[^#]*)?$/i.exec(text);
  if (match === null) return undefined;
  const [, host = '', path = '/'] = match;
  const authority = parseAuthority(/:[0-9]+$/.test(host) ? host : `${host}:80`);
  return authority === undefined ? undefined : { ...authority, path };
}

/** The origin in its one form, as `URL.origin` gives it. */
export function originOf(protocol: 'http:' | 'https:', { hostname, port }: Authority): string {
  const host = isIP(hostname) === 6 ? `[${hostname}]` : hostname;
  const isDefault = port === (protocol === 'https:' ? 443 : 80);
  return `${protocol}//${host}${isDefault ? '' : `:${port}`}`;
}

/** Whether a Host header names this authority. */
export function isHostOf(
  header: string | undefined,
  protocol: 'http:' | 'https:',
  authority: Authority,
): boolean {
  if (header === undefined) return false;
  const text = /:[0-9]+$/.test(header) ? header : `${header}:${protocol === 'https:' ? 443 : 80}`;
  const given = parseAuthority(text);
  return given?.hostname === authority.hostname && given.port === authority.port;
}

export function authorityOf(url: URL): Authority {
  return {
    hostname: plainHostname(url.hostname),
    port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
  };
}

function plainHostname(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}
