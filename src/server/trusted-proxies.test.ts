import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { countedAddress, isLocal, TrustedProxies } from './trusted-proxies.ts';

function request(remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage {
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage;
}
const proxies = new TrustedProxies(['10.0.0.0/8', 'fd00::/8', '127.0.0.1']);

it.each([
  ['a stranger cannot forge where she comes from', '203.0.113.9', '1.2.3.4', '203.0.113.9'],
  ['a listed proxy is believed', '10.1.2.3', '198.51.100.7', '198.51.100.7'],
  ['so is one that is written as IPv4 in IPv6', '::ffff:10.1.2.3', '198.51.100.7', '198.51.100.7'],
  [
    'what the client wrote before the first proxy is not',
    '10.1.2.3',
    '1.1.1.1, 198.51.100.7, 10.9.9.9',
    '198.51.100.7',
  ],
  ['a chain of proxies only ends at its beginning', 'fd00::1', '10.0.0.1, 10.0.0.2', '10.0.0.1'],
  ['no address ends the chain', '10.1.2.3', '198.51.100.7, evil, 10.0.0.2', '10.0.0.2'],
  ['an empty header says nothing', '10.1.2.3', '', '10.1.2.3'],
  ['IPv6 clients', '127.0.0.1', '2001:db8::1', '2001:db8::1'],
])('%s', (_name, peer, header, client) => {
  expect(proxies.address(request(peer, { 'x-forwarded-for': header }))).toBe(client);
});

it('without proxies no header counts', () => {
  const headers = { 'x-forwarded-for': '1.1.1.1', 'x-request-id': 'abc', 'x-forwarded-proto': 'https' };
  const none = new TrustedProxies();
  expect(none.address(request('10.1.2.3', headers))).toBe('10.1.2.3');
  expect(none.requestId(request('10.1.2.3', headers))).toBeUndefined();
  expect(none.origin(request('10.1.2.3', headers)).scheme).toBe('http');
});

it('scheme, host and request id come from listed proxies only, and are checked', () => {
  const headers = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'a.example',
    'x-request-id': 'r-1',
    host: 'inner',
  };
  expect(proxies.origin(request('10.0.0.1', headers))).toEqual({
    address: '10.0.0.1',
    scheme: 'https',
    host: 'a.example',
  });
  expect(proxies.origin(request('203.0.113.9', headers))).toEqual({
    address: '203.0.113.9',
    scheme: 'http',
    host: 'inner',
  });
  expect(proxies.requestId(request('10.0.0.1', headers))).toBe('r-1');
  expect(proxies.requestId(request('203.0.113.9', headers))).toBeUndefined();
  expect(proxies.requestId(request('10.0.0.1', { 'x-request-id': 'a b\n' }))).toBeUndefined();
  expect(proxies.origin(request('10.0.0.1', { ...headers, 'x-forwarded-host': 'a b"' })).host).toBe('inner');
});

it('this machine is only whoever comes without any proxy in between', () => {
  expect(isLocal(request('127.0.0.1'))).toBe(true);
  expect(isLocal(request('::ffff:127.0.0.1'))).toBe(true);
  expect(isLocal(request('::1'))).toBe(true);
  expect(isLocal(request('203.0.113.9'))).toBe(false);
  for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip'])
    expect(isLocal(request('127.0.0.1', { [name]: '203.0.113.9' })), name).toBe(false);
});

it('counts a /64 of IPv6 as one', () => {
  expect(countedAddress('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2');
  expect(countedAddress('203.0.113.9')).toBe('203.0.113.9');
});

it('gives a holder of one network one key, however her addresses are written', () => {
  for (const [one, other] of [
    ['2001:db8::1', '2001:db8:0:0:9999::2'],
    ['2001:db8::1', '2001:0DB8:0:0:ffff:ffff:ffff:ffff'],
    ['2001:db8:0:7::', '2001:db8:0:7:1::'],
    ['::1', '0:0:0:0:0:0:0:2'],
    ['fe80::1%eth0', 'fe80::2%eth1'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
  ] as const)
    expect([one, countedAddress(one)]).toEqual([one, countedAddress(other)]);
  expect(countedAddress('2001:db8:0:7::1')).not.toBe(countedAddress('2001:db8:0:8::1'));
  expect(countedAddress('2001:db8::7:0:0:0:1')).not.toBe(countedAddress('2001:db8:7::1'));
});

it('refuses what is no network', () => {
  expect(() => new TrustedProxies(['nobody'])).toThrow(RangeError);
});
