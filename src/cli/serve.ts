import { existsSync } from 'node:fs';
import type { Settings } from '../config/keys.ts';
import { openDatabase, type Database } from '../db/open.ts';
import type { IndexRow } from '../db/schema.ts';
import { acquireStoreLock } from '../db/store-lock.ts';
import { WebhookSender } from '../registry/webhook-sender.ts';
import { ServerMetrics } from '../server/server-metrics.ts';
import { startServer, type RunningServer } from '../server/start.ts';
import { FaultInjector } from '../storage/fault-injector.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { LineFile } from '../telemetry/line-file.ts';
import { openLog, type Log } from '../telemetry/log.ts';
import { PublisherClient, startPublisherThread } from '../worker/publisher-client.ts';
import { CliError } from './cli-error.ts';
import { currentRoot } from './current-root.ts';
import { openDataFolder, type DataFolder } from './data-folder.ts';
import { EvidenceLoop, witnessSettings } from './evidence-loop.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { makeTrialIndex } from './indexes.ts';
import { eventsFolder, indexOfRoot, offeredEvents } from './offered-events.ts';
import { IndexWatch, publishedIndexes, servableIndexes } from './index-watch.ts';
import { packageVersion } from './package-version.ts';
import { accessPath, Reload } from './reload.ts';
import { ReminderLoop } from './reminder-loop.ts';
import { RenewalOpener } from './renewal-opener.ts';
import { keptSecrets, setupMessage, shownSecrets, trialMessage } from './serve-messages.ts';
import { addServeMetrics, publisherCheck, signerLatency } from './serve-metrics.ts';
import {
  collectionSettings,
  evidenceOptions,
  expirySettings,
  metricsToken,
  serverSettings,
  settingsFor,
  type ServeOptions,
} from './serve-settings.ts';
import { StopRequest } from './stop-request.ts';
import { say } from './terminal.ts';
import { ensureTrialRepository, forgetSecretFiles, type TrialRepository } from './trial-repository.ts';

/** The parts of a server that are open at the same time. */
interface Opened {
  readonly settings: Settings;
  readonly metrics: ServerMetrics;
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

/** Runs an index until SIGINT or SIGTERM. What it says to people and its log go to stderr. */
export async function serve(options: ServeOptions): Promise<ExitCode> {
  const faults = FaultInjector.fromEnvironment();
  const { settings } = await settingsFor(options);
  const log = openLog({ level: settings.log.level });
  const folder = await openDataFolder(settings.server.data);
  // It reads its program while the database opens.
  const thread = startPublisherThread();
  const stop = new StopRequest();
  const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary, faults });
  const database = await openDatabase({
    path: folder.database,
    thread: true,
    onFailure: (error) => stop.fail(error),
    ...(faults === undefined ? {} : { beforeCommit: () => faults.before('commit') }),
  });
  try {
    const repository = await prepareRepository(folder, database, store, settings);
    const indexes = await servableIndexes(database.db);
    const published: PublicationListener = { now: undefined };
    const keys = await publishedIndexes(folder, indexes);
    const metrics = new ServerMetrics(packageVersion());
    const publisher = PublisherClient.begin(
      {
        ...publisherFolders(folder),
        indexes: keys,
        trustClock: options.trustClock,
        expiry: expirySettings(settings),
        collection: collectionSettings(settings),
        log,
        onSigning: signerLatency(metrics),
        onPublished: (event) => published.now?.(event),
        onFatal: (error) => stop.fail(error),
      },
      thread,
    );
    try {
      const opened = {
        settings,
        metrics,
        folder,
        store,
        database,
        repository,
        indexes,
        publisher,
        published,
        log,
      };
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
  { access }: Settings,
): Promise<TrialRepository> {
  const lock = await acquireStoreLock(folder.path);
  try {
    const repository = await ensureTrialRepository(folder, db, store);
    if (repository.secrets !== undefined && access.read === 'token') {
      await db
        .updateTable('indexes')
        .set({ read_access: 'token' })
        .where('id', '=', repository.index.id)
        .execute();
    }
    return repository;
  } finally {
    lock.release();
  }
}

function publisherFolders(folder: DataFolder): {
  readonly databasePath: string;
  readonly storeRoot: string;
  readonly temporaryFolder: string;
  readonly lockFolder: string;
} {
  return {
    databasePath: folder.database,
    storeRoot: folder.tree,
    temporaryFolder: folder.temporary,
    lockFolder: folder.path,
  };
}

async function serveUntilStopped(options: ServeOptions, opened: Opened, stop: StopRequest): Promise<void> {
  const { settings, metrics, folder, store, database, indexes, publisher, published, log } = opened;
  const { db } = database;
  const reminders = new ReminderLoop({
    db,
    eventsFolder: eventsFolder(folder.path),
    renewals: new RenewalOpener({ db, store, path: folder.path }),
    log,
    webhook: settings.reminders.webhook,
  });
  const token = { value: await metricsToken(settings) };
  const access = accessPath(settings);
  const accessFile = access === undefined ? undefined : new LineFile(access.path);
  const server = await listen(settings.server, {
    ...(await serverSettings(settings)),
    ...(accessFile === undefined ? {} : { accessLine: (line: string) => accessFile.write(line) }),
    indexes,
    db,
    store,
    queue: publisher,
    log,
    metrics,
    version: packageVersion(),
    metricsToken: () => token.value,
    metricsLocal: settings.metrics.local,
    readiness: () => publisherCheck(publisher),
    signingEvents: offeredEvents(folder.path, indexOfRoot(db, store)),
    makeRepository: (index) => makeTrialIndex({ folder, db, store }, index),
    onFatal: (error) => stop.fail(error),
  });
  published.now = (event) => server.published(event);
  const kept = evidenceOptions(settings);
  const evidence = new EvidenceLoop({
    db,
    store,
    log,
    settings: await witnessSettings(kept, folder),
    archive: kept.archive,
    publicUrl: server.url,
  });
  addServeMetrics({ db, metrics, publisher, evidence });
  const watch = new IndexWatch({ db, folder, publisher, server, log, served: indexes });
  const webhooks = new WebhookSender({ db, log });
  const reload = new Reload({ options, server, log, accessFile, token });
  try {
    // What is public is served already; uploads wait until the publisher has recovered.
    await publisher.ready;
    await tellStart(opened, server.url);
    for (const part of [reminders, evidence, watch, webhooks, reload]) part.start();
    await stop.wait();
    say('stopping: uploads under way get to end');
  } finally {
    reload.stop();
    reminders.stop();
    await evidence.stop();
    await watch.stop();
    await webhooks.stop();
    await server.close();
    accessFile?.close();
  }
}

async function listen(
  { host, port }: Settings['server'],
  parts: Omit<Parameters<typeof startServer>[0], 'host' | 'port'>,
): Promise<RunningServer> {
  try {
    return await startServer({ ...parts, host, port });
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
    if (code?.startsWith('ERR_OSSL') === true || code?.startsWith('ERR_SSL') === true)
      throw new CliError('failure', `tls.certificate and tls.key cannot be used (${code}).`, [
        'both are PEM files, and the key belongs to the first certificate',
      ]);
    throw cause;
  }
}

function secretFiles(folder: DataFolder): readonly { readonly what: string; readonly path: string }[] {
  return [
    { what: 'upload token', path: folder.uploadToken },
    { what: 'passphrase of the offline keys', path: folder.offlinePassphrase },
  ];
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
      parts.push(keptSecrets(secretFiles(folder)));
    }
  } else {
    // The first start may have ended before it said so.
    const left = secretFiles(folder).filter(({ path }) => existsSync(path));
    if (left.length > 0) parts.push(keptSecrets(left));
  }
  // `npm start` runs in a checkout, where nothing put `rind` on the PATH.
  const program = process.env['npm_lifecycle_event'] === 'start' ? 'npx rind' : 'rind';
  parts.push(setupMessage({ url, ...root, program }));
  say(parts.join('\n\n'));
}
