import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { DownloadHttpError, Updater } from '../../src/updater/index.ts';
import { StoreServer } from '../support/store-server.ts';
import { LineProcess } from '../tools/line-process.ts';
import { pythonTools } from '../tools/python-tools.ts';

/** What somebody else makes of a client's world. */
export interface View {
  readonly served: ObjectStore;
  readonly bootstrapRoot: Uint8Array;
  readonly now: Date;
}

/** A client that keeps its folder from one session to the next. */
export interface Client {
  readonly name: 'rind' | 'python-tuf';
  /** A new session: the content of a file, undefined when it is signed that there is none, 'refused' with whatever reason it has for that. */
  take(path: string, view: View): Promise<string | undefined>;
}

/** Ours. */
export async function rindClient(folder: string): Promise<Client> {
  await mkdir(folder, { mode: 0o700 });
  const session = async (path: string, { served, bootstrapRoot, now }: View) => {
    const updater = new Updater({
      metadataDir: folder,
      metadataBaseUrl: 'http://rind.test/metadata/',
      targetBaseUrl: 'http://rind.test/',
      bootstrapRoot,
      clock: () => now,
      fetcher: {
        async *fetch(url) {
          const bytes = await served.read(decodeURIComponent(new URL(url).pathname.slice(1)));
          if (bytes === undefined) throw new DownloadHttpError('Not Found', 404, { url });
          yield bytes;
        },
      },
    });
    await updater.refresh();
    const target = await updater.getTargetInfo(path);
    if (target === undefined) return undefined;
    return new TextDecoder().decode(await updater.targetBytes(target, 1 << 20));
  };
  return {
    name: 'rind',
    take: (path, view) =>
      session(path, view).catch((error: unknown) => {
        const { code } = error as { code?: unknown };
        if (error instanceof Error && /^[A-Z_]+$/.test(String(code))) return 'refused';
        throw error;
      }),
  };
}

/** python-tuf's ngclient, the reference client, in one process for all sessions. */
export class PythonTuf {
  /** Sessions so far. */
  sessions = 0;
  readonly #process: LineProcess;
  readonly #server: StoreServer;
  readonly #show: (store: ObjectStore) => void;

  private constructor(process: LineProcess, server: StoreServer, show: (store: ObjectStore) => void) {
    this.#process = process;
    this.#server = server;
    this.#show = show;
  }

  /** @throws {UnavailableError} where there is no Python */
  static async start(): Promise<PythonTuf> {
    const { python } = await pythonTools();
    let served: ObjectStore | undefined;
    const server = await StoreServer.start(() => {
      if (served === undefined) throw new Error('nothing is served yet');
      return served;
    });
    const script = join(import.meta.dirname, 'python_tuf_user.py');
    const process = new LineProcess('python-tuf', python, ['-u', script]);
    return new PythonTuf(process, server, (store) => (served = store));
  }

  client(folder: string): Client {
    return {
      name: 'python-tuf',
      take: async (path, { served, bootstrapRoot, now }) => {
        this.#show(served);
        this.sessions += 1;
        const root = Buffer.from(bootstrapRoot).toString('base64');
        const request = { folder, url: this.#server.url, root, now: now.toISOString(), path };
        const answer = (await this.#process.ask(request)) as { content?: string | null; refused?: string };
        return answer.refused === undefined ? (answer.content ?? undefined) : 'refused';
      },
    };
  }

  close(): void {
    this.#process.close();
    this.#server.close();
  }
}
