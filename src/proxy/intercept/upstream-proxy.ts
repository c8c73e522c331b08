import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** The way from here to a host: directly, or through the proxy that the user has anyway. */
export interface UpstreamProxy {
  readonly url: URL;
  /** `Basic …`, from the URL; sent to this proxy and to nobody else. */
  readonly authorization: string | undefined;
}

/**
 * The user's own proxy for a URL, by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in either case of letters.
 *
 * @returns `undefined`: the host is reached directly
 * @throws UpstreamProxyError when the proxy is of a kind that is not spoken here
 */
export function upstreamProxyFor(
  protocol: 'http:' | 'https:',
  hostname: string,
  port: number,
  environment: NodeJS.ProcessEnv,
): UpstreamProxy | undefined {
  const value = (name: string): string | undefined =>
    environment[name] || environment[name.toUpperCase()] || undefined;
  const text = value(protocol === 'https:' ? 'https_proxy' : 'http_proxy') ?? value('all_proxy');
  if (text === undefined || isExempt(hostname, port, value('no_proxy') ?? '')) return undefined;
  const address = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new UpstreamProxyError(
      `The proxy in the environment is not spoken to: it is no http or https proxy.`,
    );
  }
  return { url, authorization: authorizationOf(url) };
}

/** The user's own proxy cannot be used, or does not let through. The message holds no credentials. */
export class UpstreamProxyError extends Error {
  override readonly name = 'UpstreamProxyError';
}

const CONNECT_TIMEOUT = 30_000;
const MAX_HEAD = 16_384;

/** A connection to `hostname:port`, directly or through the user's proxy. */
export async function connectTo(
  hostname: string,
  port: number,
  proxy: UpstreamProxy | undefined,
): Promise<Socket> {
  if (proxy === undefined) return connected(connectTcp({ host: hostname, port }), 'connect');
  const socket = await connectToProxy(proxy.url);
  const authority = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (proxy.authorization !== undefined) lines.push(`Proxy-Authorization: ${proxy.authorization}`);
  try {
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    const status = await readConnectStatus(socket);
    if (status === 200) return socket;
    throw new UpstreamProxyError(`The proxy ${proxy.url.host} answered ${status} for ${authority}.`);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** NO_PROXY: hosts and domains separated by commas, `*` for all, with or without a port. */
function isExempt(hostname: string, port: number, rules: string): boolean {
  return rules.split(',').some((rule) => {
    const text = rule.trim().toLowerCase();
    if (text === '') return false;
    if (text === '*') return true;
    const [, host = '', wantedPort] = /^(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/.exec(text) ?? [undefined, text];
    if (wantedPort !== undefined && Number(wantedPort) !== port) return false;
    const name = host.replace(/^\[|\]$/g, '').replace(/^\*?\./, '');
    return hostname === name || hostname.endsWith(`.${name}`);
  });
}

function authorizationOf(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  const decoded = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  const pair = `${decoded(url.username)}:${decoded(url.password)}`;
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

function connectToProxy(url: URL): Promise<Socket> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'http:') {
    return connected(connectTcp({ host, port: Number(url.port || 80) }), 'connect');
  }
  return connected(connectTls({ host, port: Number(url.port || 443), servername: host }), 'secureConnect');
}

function connected<S extends Socket>(socket: S, event: 'connect' | 'secureConnect'): Promise<S> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(CONNECT_TIMEOUT, () =>
      fail(new UpstreamProxyError('No connection came about in time.')),
    );
    socket.once('error', fail).once(event, () => {
      socket.setTimeout(0).removeListener('error', fail);
      resolve(socket);
    });
  });
}

function readConnectStatus(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const done = (result: number | Error): void => {
      socket.setTimeout(0);
      socket.removeListener('data', read).removeListener('error', done).removeListener('close', cut);
      socket.pause();
      if (typeof result === 'number') resolve(result);
      else reject(result);
    };
    const cut = (): void => done(new UpstreamProxyError('The proxy ended the connection.'));
    const read = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) {
        if (head.length > MAX_HEAD) done(new UpstreamProxyError('The proxy did not answer like one.'));
        return;
      }
      const rest = head.subarray(end + 4);
      const status = /^HTTP\/1\.[01] ([0-9]{3})/.exec(head.toString('latin1', 0, 64))?.[1];
      done(
        status === undefined ? new UpstreamProxyError('The proxy did not answer like one.') : Number(status),
      );
      if (rest.length > 0) socket.unshift(rest);
    };
    socket.setTimeout(CONNECT_TIMEOUT, () =>
      done(new UpstreamProxyError('The proxy did not answer in time.')),
    );
    socket.on('data', read).once('error', done).once('close', cut);
  });
}
