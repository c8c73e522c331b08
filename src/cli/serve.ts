import { openDatabase, type Database } from '../db/open.ts';
import type { IndexRow } from '../db/schema.ts';
import { acquireStoreLock } from '../db/store-lock.ts';
import { startServer, type RunningServer } from '../server/start.ts';
import { FaultInjector } from '../storage/fault-injector.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { openLog, type Log } from '../telemetry/log.ts';
import { PublisherClient } from '../worker/publisher-client.ts';
import type { PublishedIndex } from '../worker/publisher-protocol.ts';
import { CliError } from './cli-error.ts';
import { currentRoot } from './current-root.ts';
import { openDataFolder, type DataFolder } from './data-folder.ts';
import { EvidenceLoop, witnessSettings, type EvidenceOptions } from './evidence-loop.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { eventsFolder, offeredEvents } from './offered-events.ts';
import { IndexWatch, publishedIndexes, servableIndexes } from './index-watch.ts';
import { ReminderLoop } from './reminder-loop.ts';
import { RenewalOpener } from './renewal-opener.ts';
import { keptSecrets, setupMessage, shownSecrets, trialMessage } from './serve-messages.ts';
import { StopRequest } from './stop-request.ts';
import { say } from './terminal.ts';
import { ensureTrialRepository, forgetSecretFiles, type TrialRepository } from './trial-repository.ts';

/** What `rind serve` is told. */
export interface ServeOptions extends EvidenceOptions {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly publicUrl?: string;
  /** Where reminders of renewals and signing windows are posted to. */
  readonly reminders?: string;
  /** The clock is right, though what was signed before says otherwise. */
  readonly trustClock?: boolean;
}

/** The parts of a server that are open at the same time. */
interface Opened {
  readonly folder: DataFolder;
  readonly store: PosixStore;
  readonly database: Database;
  readonly repository: TrialRepository;
  readonly indexes: readonly IndexRow[];
  readonly publisher: PublisherClient;
  readonly published: PublicationListener;
  readonly log: Log;
}

/** Who is told of publications; the publisher starts before the server does. */
interface PublicationListener {
  now: RunningServer['published'] | undefined;
}

/** Runs an index until SIGINT, SIGTERM or SIGHUP. What it says to people and its log go to stderr. */
export async function serve(options: ServeOptions): Promise<ExitCode> {
  const faults = FaultInjector.fromEnvironment();
  const log = openLog({ level: 'warn' });
  const folder = await openDataFolder(options.data);
  const stop = new StopRequest();
  const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary, faults });
  const database = await openDatabase({
    path: folder.database,
    thread: true,
    ...(faults === undefined ? {} : { beforeCommit: () => faults.before('commit') }),
  });
  try {
    const repository = await prepareRepository(folder, database, store);
    const indexes = await servableIndexes(database.db);
    const published: PublicationListener = { now: undefined };
    const keys = await publishedIndexes(folder, indexes);
    const publisher = await startPublisher(options, folder, keys, log, stop, published);
    try {
      const opened = { folder, store, database, repository, indexes, publisher, published, log };
      await serveUntilStopped(options, opened, stop);
    } finally {
      await publisher.close();
    }
  } finally {
    await database.close();
  }
  return EXIT.ok;
}

async function prepareRepository(
  folder: DataFolder,
  { db }: Database,
  store: PosixStore,
): Promise<TrialRepository> {
  const lock = await acquireStoreLock(folder.path);
  try {
    return await ensureTrialRepository(folder, db, store);
  } finally {
    lock.release();
  }
}

async function startPublisher(
  { trustClock }: ServeOptions,
  folder: DataFolder,
  indexes: readonly PublishedIndex[],
  log: Log,
  stop: StopRequest,
  onPublished: PublicationListener,
): Promise<PublisherClient> {
  return PublisherClient.start({
    databasePath: folder.database,
    storeRoot: folder.tree,
    temporaryFolder: folder.temporary,
    lockFolder: folder.path,
    trustClock,
    indexes,
    log,
    onPublished: (event) => onPublished.now?.(event),
    onFatal: (error) => stop.fail(error),
  });
}

async function serveUntilStopped(options: ServeOptions, opened: Opened, stop: StopRequest): Promise<void> {
  const { folder, store, database, indexes, publisher, published, log } = opened;
  const reminders = new ReminderLoop({
    db: database.db,
    eventsFolder: eventsFolder(folder.path),
    renewals: new RenewalOpener({ db: database.db, store, path: folder.path }),
    log,
    webhook: options.reminders,
  });
  const server = await listen(options, {
    indexes,
    db: database.db,
    store,
    queue: publisher,
    log,
    signingEvents: offeredEvents(folder.path),
    onFatal: (error) => stop.fail(error),
  });
  published.now = (event) => server.published(event);
  const evidence = new EvidenceLoop({
    db: database.db,
    store,
    log,
    settings: await witnessSettings(options, folder),
    archive: options.archive,
    publicUrl: options.publicUrl ?? server.url,
  });
  const watch = new IndexWatch({ db: database.db, folder, publisher, server, log, served: indexes });
  try {
    await tellStart(opened, server.url);
    reminders.start();
    evidence.start();
    watch.start();
    await stop.wait();
    say('stopping: uploads under way get to end');
  } finally {
    reminders.stop();
    await evidence.stop();
    await watch.stop();
    await server.close();
  }
}

async function listen(
  { host, port, publicUrl }: ServeOptions,
  parts: Omit<Parameters<typeof startServer>[0], 'host' | 'port' | 'publicUrl'>,
): Promise<RunningServer> {
  try {
    return await startServer({ ...parts, host, port, ...(publicUrl === undefined ? {} : { publicUrl }) });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new CliError('failure', `Port ${port} on ${host} is in use.`, ['name another with --port'], {
        cause,
      });
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new CliError('failure', `It is not possible to listen on ${host}, port ${port} (${code}).`, [], {
        cause,
      });
    throw cause;
  }
}

async function tellStart({ folder, repository, database, store }: Opened, url: string): Promise<void> {
  const root = await currentRoot(database.db, store, repository.index);
  const parts = [`Rind serves ${folder.path} on ${url}`];
  const { secrets } = repository;
  if (secrets !== undefined) {
    parts.push(trialMessage(folder.path));
    if (process.stderr.isTTY) {
      parts.push(shownSecrets(secrets));
      await forgetSecretFiles(folder);
    } else {
      parts.push(
        keptSecrets([
          { what: 'upload token', path: folder.uploadToken },
          { what: 'passphrase of the offline keys', path: folder.offlinePassphrase },
        ]),
      );
    }
  }
  // `npm start` runs in a checkout, where nothing put `rind` on the PATH.
  const program = process.env['npm_lifecycle_event'] === 'start' ? 'npx rind' : 'rind';
  parts.push(setupMessage({ url, ...root, program }));
  say(parts.join('\n\n'));
}
