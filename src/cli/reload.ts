import type { Settings } from '../config/keys.ts';
import type { RunningServer } from '../server/start.ts';
import { errorFields } from '../repository/errors.ts';
import type { LineFile } from '../telemetry/line-file.ts';
import type { Log } from '../telemetry/log.ts';
import { metricsToken, settingsFor, tlsIdentity, type ServeOptions } from './serve-settings.ts';

export interface ReloadOptions {
  readonly options: ServeOptions;
  readonly server: Pick<RunningServer, 'changeTls'>;
  readonly log: Log;
  readonly accessFile: LineFile | undefined;
  readonly token: { value: string | undefined };
}

/** On SIGHUP: certificates, the level of the log and the token of the metrics are read anew, the access log is opened anew. Whatever fails stays as it was. */
export class Reload {
  readonly #options: ReloadOptions;
  readonly #listener = (): void => void this.#run();

  constructor(options: ReloadOptions) {
    this.#options = options;
  }

  start(): void {
    if (!process.stderr.isTTY) process.on('SIGHUP', this.#listener);
  }

  stop(): void {
    process.off('SIGHUP', this.#listener);
  }

  async #run(): Promise<void> {
    const { options, server, log, accessFile, token } = this.#options;
    try {
      const { settings } = await settingsFor(options);
      const tls = await tlsIdentity(settings);
      const nextToken = await metricsToken(settings);
      if (tls !== undefined) server.changeTls(tls);
      token.value = nextToken;
      log.level = settings.log.level;
      accessFile?.reopen();
      log.info({}, 'settings read again');
    } catch (error) {
      log.error(errorFields(error), 'the settings cannot be read again; those before hold');
    }
  }
}

/** Where the lines of requests go, as the settings say; undefined: nowhere. */
export function accessPath({ log }: Settings): { readonly path: string | undefined } | undefined {
  if (log.access === 'off') return undefined;
  return { path: log.access === 'stderr' ? undefined : log.access };
}
