import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { readProxyAddress, writeProxyAddress, type ProxyAddress } from '../proxy/proxy-address.ts';
import { stateFolder } from '../proxy/trust-store.ts';
import { CliError } from './cli-error.ts';
import { ownCommand } from './own-command.ts';
import { print, say } from './terminal.ts';

const UNITS = ['rind-proxy.socket', 'rind-proxy.service'] as const;

/** The address of the proxy that keeps running: the same port and path for as long as it is set up. */
export function serviceAddressPath(): string {
  return join(stateFolder(process.env, homedir()), 'proxy', 'address');
}

/** The address, chosen now if it was not before. */
export async function serviceAddress(port = 0): Promise<ProxyAddress> {
  const path = serviceAddressPath();
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  const known = await readProxyAddress(path);
  if (known.port !== 0 && (port === 0 || port === known.port)) return known;
  const address = { port: port === 0 ? await freePort() : port, token: known.token };
  await writeProxyAddress(path, address);
  return address;
}

/** The index URL that tools are set up with. */
export function serviceUrl({ port, token }: ProxyAddress): string {
  return `http://127.0.0.1:${port}/${token}/simple/`;
}

/**
 * `rind proxy install --user`: chooses port and path for good, writes the units of a service that systemd starts with the first
 * connection, and starts listening.
 */
export async function installService(options: {
  readonly port: number;
  readonly project?: string;
  readonly start: boolean;
}): Promise<void> {
  const address = await serviceAddress(options.port);
  const folder = unitFolder();
  await mkdir(folder, { recursive: true });
  for (const unit of UNITS) {
    const text = await readFile(join(packagingFolder(), unit), 'utf8');
    await writeFile(join(folder, unit), fillIn(text, address, options.project ?? homedir()));
    say(`wrote ${join(folder, unit)}`);
  }
  if (options.start) {
    await systemctl('daemon-reload');
    await systemctl('enable', '--now', 'rind-proxy.socket');
  }
  print(serviceUrl(address));
  say('hint: rind client setup points pip, uv, poetry, pdm and pipenv to it');
}

/** `rind proxy uninstall --user`: stops the service and removes its units. The address stays, in case it comes back. */
export async function uninstallService(options: { readonly start: boolean }): Promise<void> {
  if (options.start) {
    await systemctl('disable', '--now', ...UNITS).catch((error: unknown) => {
      if (!(error instanceof CliError)) throw error;
      say(`note: ${error.message}`);
    });
  }
  for (const unit of UNITS) {
    await rm(join(unitFolder(), unit), { force: true });
    say(`removed ${join(unitFolder(), unit)}`);
  }
  if (options.start) await systemctl('daemon-reload').catch(() => undefined);
}

/**
 * The listening socket that systemd handed to this process (sd_listen_fds(3)), if it did. The variables are taken out of the
 * environment, so that no child believes they are meant for it.
 */
export function activatedSocket(environment: NodeJS.ProcessEnv): number | undefined {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = environment;
  delete environment['LISTEN_PID'];
  delete environment['LISTEN_FDS'];
  delete environment['LISTEN_FDNAMES'];
  if (pid === undefined || Number(pid) !== process.pid) return undefined;
  if (count === '1') return 3;
  throw new CliError('usage', `The unit hands over ${count ?? 'no'} sockets; the proxy listens on one.`);
}

/** Paths in units: spaces and percent signs mean something there. */
function fillIn(text: string, { port }: ProxyAddress, project: string): string {
  const command = ownCommand(process.env)
    .map((word) => `"${unitText(word)}"`)
    .join(' ');
  return text
    .replaceAll('@PORT@', () => String(port))
    .replaceAll('@RIND@', () => command)
    .replaceAll('@PROJECT@', () => unitText(project));
}

function unitText(text: string): string {
  if (/["\\\n]/.test(text)) throw new CliError('failure', `The path ${text} cannot stand in a unit.`);
  return text.replaceAll('%', '%%').replaceAll('$', '$$$$');
}

function unitFolder(): string {
  return join(process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'systemd', 'user');
}

/** Beside the program, in a checkout and in the package. */
function packagingFolder(): string {
  return fileURLToPath(new URL('../../packaging/', import.meta.url));
}

async function systemctl(...args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)('systemctl', ['--user', ...args]);
  } catch (error) {
    const reason = (error as { readonly stderr?: string }).stderr?.split('\n')[0] || String(error);
    throw new CliError('failure', `systemctl --user ${args.join(' ')} failed: ${reason}.`, [
      '--no-start writes the units alone',
    ]);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
