import { VerifyingProxy, type ProxyOptions } from '../proxy/proxy.ts';
import { readProxyAddress, writeProxyAddress } from '../proxy/proxy-address.ts';
import type { TrustedIndex } from '../proxy/trust-store.ts';

/**
 * Starts a proxy for an index at the address it had last: the same URL again is what installers' caches and
 * configuration files need. Without `port` any other port will do when that one is taken.
 *
 * @throws the system's error when it cannot listen
 */
export async function startProxy(
  trusted: Pick<TrustedIndex, 'addressPath'>,
  options: Omit<ProxyOptions, 'token'>,
): Promise<VerifyingProxy> {
  const { port, token } = await readProxyAddress(trusted.addressPath);
  const proxy = await VerifyingProxy.start({ port, ...options, token }).catch((error: unknown) => {
    if (options.port !== undefined || port === 0 || !isListenError(error)) throw error;
    return VerifyingProxy.start({ ...options, token });
  });
  if (port === 0) await writeProxyAddress(trusted.addressPath, { port: proxy.port, token });
  return proxy;
}

function isListenError(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall === 'listen';
}
