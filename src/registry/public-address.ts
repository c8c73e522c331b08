import { lookup as lookupCallback, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** What is not on the public internet: this machine, private and local networks, documentation, multicast (the IANA special-purpose registries). */
const INTERNAL = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  INTERNAL.addSubnet(network, bits, 'ipv4');
}
/** Of IPv6 only what is given out to the public is public; without what holds an IPv4 address or documentation. */
const GLOBAL = new BlockList();
GLOBAL.addSubnet('2000::', 3, 'ipv6');
const WITHIN_GLOBAL = new BlockList();
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  WITHIN_GLOBAL.addSubnet(network, bits, 'ipv6');
}

/** Whether an IP address is one that the whole internet may reach. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 4) return !INTERNAL.check(address, 'ipv4');
  const plain = address.split('%', 1)[0] ?? '';
  return version === 6 && GLOBAL.check(plain, 'ipv6') && !WITHIN_GLOBAL.check(plain, 'ipv6');
}

/** The code of the error with which {@link lookupPublic} refuses a name. */
export const NOT_PUBLIC = 'ERR_ADDRESS_NOT_PUBLIC';

/** Looks a name up for a connection, and finds public addresses only: whatever the name says at this very moment is what is connected to. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookupCallback(hostname, { ...options, all: true }, (error, found: LookupAddress[] | undefined) => {
    const addresses = (found ?? []).filter(({ address }) => isPublicAddress(address));
    const [first] = addresses;
    if (error !== null) return callback(error, '', 0);
    if (first === undefined) return callback(notPublic(), '', 0);
    if (options.all === true) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

function notPublic(): NodeJS.ErrnoException {
  return Object.assign(new Error('the name has no public address'), { code: NOT_PUBLIC });
}
