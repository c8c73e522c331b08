import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** What a request says of where it comes from, as far as it is believed. */
export interface RequestOrigin {
  readonly address: string;
  readonly scheme: 'http' | 'https';
  readonly host: string | undefined;
}

/** Hops of X-Forwarded-For that are looked at. */
const MOST_HOPS = 32;
const LONGEST_HEADER = 4096;
const HOST = /^[A-Za-z0-9.:[\]_-]{1,255}$/;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** Whose forwarding headers are believed. Everybody else could write anything into them. */
export class TrustedProxies {
  readonly #networks = new BlockList();
  readonly #hasAny: boolean;

  /** Addresses and networks (`10.0.0.0/8`, `::1`). Throws RangeError for anything else. */
  constructor(networks: readonly string[] = []) {
    this.#hasAny = networks.length > 0;
    for (const network of networks) {
      const [address = '', bits] = network.split('/');
      const version = isIP(address);
      if (version === 0) throw new RangeError(`${network} is no address and no network.`);
      const family = version === 4 ? 'ipv4' : 'ipv6';
      if (bits === undefined) this.#networks.addAddress(address, family);
      else this.#networks.addSubnet(address, Number(bits), family);
    }
  }

  /** Where a request comes from: of the hops that were written down, the last one that is no proxy of ours. */
  address(request: IncomingMessage): string {
    const peer = plainAddress(request.socket.remoteAddress);
    if (!this.#trusts(peer)) return peer;
    const header = oneLine(request.headers['x-forwarded-for']);
    if (header === undefined) return peer;
    let client = peer;
    for (const hop of header.split(',').slice(-MOST_HOPS).toReversed()) {
      const address = plainAddress(hop.trim());
      // What is no address was written by somebody whom we do not know: the last known hop counts.
      if (isIP(address) === 0) break;
      client = address;
      if (!this.#trusts(address)) break;
    }
    return client;
  }

  /** For the access log: the address, scheme and host that people used. */
  origin(request: IncomingMessage): RequestOrigin {
    const isEncrypted = 'encrypted' in request.socket && request.socket.encrypted === true;
    const own = { scheme: isEncrypted ? 'https' : 'http', host: validHost(request.headers.host) } as const;
    if (!this.#trusts(plainAddress(request.socket.remoteAddress)))
      return { address: this.address(request), ...own };
    const scheme = oneLine(request.headers['x-forwarded-proto'])?.toLowerCase();
    return {
      address: this.address(request),
      scheme: scheme === 'https' || scheme === 'http' ? scheme : own.scheme,
      host: validHost(oneLine(request.headers['x-forwarded-host'])) ?? own.host,
    };
  }

  /** The request's id as a trusted proxy gave it. */
  requestId(request: IncomingMessage): string | undefined {
    if (!this.#hasAny) return undefined;
    const id = oneLine(request.headers['x-request-id']);
    if (id === undefined || !REQUEST_ID.test(id)) return undefined;
    return this.#trusts(plainAddress(request.socket.remoteAddress)) ? id : undefined;
  }

  #trusts(address: string): boolean {
    if (!this.#hasAny) return false;
    const version = isIP(address);
    return version !== 0 && this.#networks.check(address, version === 4 ? 'ipv4' : 'ipv6');
  }
}

/** Whether a request comes from this very machine and passed no proxy, listed or not. */
export function isLocal({ socket, headers }: IncomingMessage): boolean {
  const address = plainAddress(socket.remoteAddress);
  const isLoopback = address === '::1' || address.startsWith('127.');
  return (
    isLoopback &&
    !['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'forwarded', 'via'].some(
      (name) => headers[name] !== undefined,
    )
  );
}

/** One entry per customer in what counts requests: an IPv4 address, or the /64 of an IPv6 one. */
export function countedAddress(address: string): string {
  const plain = plainAddress(address);
  return isIP(plain) === 6 ? networkOf(plain) : plain;
}

/** The first four groups of an IPv6 address, however it is written: `2001:db8::1` and `2001:DB8:0:0:1::` are of one network. */
function networkOf(address: string): string {
  const [first = '', last] = (address.split('%', 1)[0] ?? '').toLowerCase().split('::');
  const head = groupsOf(first);
  const tail = groupsOf(last ?? '');
  const zeros = last === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return [...head, ...Array.from<string>({ length: zeros }).fill('0'), ...tail].slice(0, 4).join(':');
}

/** Without leading zeros; an IPv4 address at the end stands for two groups. */
function groupsOf(text: string): string[] {
  if (text === '') return [];
  return text
    .split(':')
    .flatMap((group) => (group.includes('.') ? ['0', '0'] : [group.replace(/^0+(?=.)/, '')]));
}

function plainAddress(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  if (address.startsWith('::ffff:') && isIP(address.slice(7)) === 4) return address.slice(7);
  return address;
}

function oneLine(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header.join(',') : header;
  return text === undefined || text.length > LONGEST_HEADER ? undefined : text;
}

function validHost(host: string | undefined): string | undefined {
  return host !== undefined && HOST.test(host) ? host : undefined;
}
