import type { IncomingMessage, ServerResponse } from 'node:http';
import { negotiate, PAGE_CONTENT_TYPES, type PageFormat } from '../pypi/simple.ts';
import { explain } from './explain.ts';
import { refusedFile, refusedPage, type Answer } from './failure-answer.ts';
import { keepWaiting } from './keep-waiting.ts';
import { releaseJson } from './release-json.ts';
import { routeSubject, type Route } from './route.ts';
import { isNotModified, plainText, send, sendFile } from './send.ts';
import type { VerifiedIndex } from './verified-index.ts';
import { createVerdict, type Verdict } from './verdict.ts';

/** The verified index behind the answers. */
export type AnsweringIndex = Pick<
  VerifiedIndex,
  'url' | 'page' | 'metadata' | 'fileTarget' | 'download' | 'absence' | 'knownFilenames'
>;

export interface IndexAnswersOptions {
  readonly index: AnsweringIndex;
  /** Called with every refusal. The refused request is answered only when the promise is settled. */
  readonly onFailure?: ((verdict: Verdict) => void | Promise<void>) | undefined;
  /** Called with everything that was asked for and that the index, signed and freshly, does not have. */
  readonly onAbsent?: ((absence: Verdict) => void) | undefined;
  readonly clock?: (() => Date) | undefined;
  /** Base URL of the files for whoever asks; that of the index when left out. */
  readonly baseUrl?: (() => string) | undefined;
}

type PackageRoute = Extract<Route, { kind: 'file' | 'metadata' }>;

/** Answers the requests of installers from a verified index. Not a byte leaves before it is verified. */
export class IndexAnswers {
  readonly #options: IndexAnswersOptions;
  readonly #clock: () => Date;
  /** Why pages were refused last, for the links of their tombstone listings. */
  readonly #refusedPages = new Map<string, Verdict>();

  constructor(options: IndexAnswersOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => new Date());
  }

  /** @throws when the answer had begun and cannot be ended well: then the connection has to be cut */
  async answer(route: Route, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const stop = keepWaiting(request, response);
    try {
      await this.#serve(route, request, response);
    } catch (error) {
      await this.#refuse(error, route, request, response);
    } finally {
      stop();
    }
  }

  async #serve(route: Route, request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (route.kind) {
      case 'redirect':
        return send(
          request,
          response,
          plainText(301, 'See the normalized name.', { location: route.location }),
        );
      case 'list':
        return send(request, response, plainText(403, LIST_REFUSAL));
      case 'tombstone':
        return send(
          request,
          response,
          refusedFile(this.#refusedPages.get(route.project) ?? this.#forgotten(route)),
        );
      case 'page':
        return send(request, response, await this.#page(route.project, request));
      case 'release':
        return send(request, response, await this.#release(route));
      case 'metadata':
        return send(request, response, await this.#metadata(route));
      case 'file':
        return this.#file(route, request, response);
    }
  }

  async #page(project: string, request: IncomingMessage): Promise<Answer> {
    const format = pageFormat(request);
    if (format === undefined)
      return plainText(406, `Pages are ${Object.values(PAGE_CONTENT_TYPES).join(', ')}.`);
    const page = await this.#options.index.page(project, format === 'json' ? 'json' : 'html');
    if (page === undefined) return this.#noSuchProject(project);
    this.#refusedPages.delete(project);
    const headers = {
      'content-type': PAGE_CONTENT_TYPES[format],
      // Without it uv, pdm and poetry would go on using a page after it was withdrawn.
      'cache-control': 'no-cache',
      etag: `"${page.sha256}"`,
      vary: 'Accept',
    };
    if (isNotModified(request, page.sha256)) return { status: 304, headers, body: '' };
    return { status: 200, headers, body: page.bytes };
  }

  async #release(route: Extract<Route, { kind: 'release' }>): Promise<Answer> {
    const { index, baseUrl } = this.#options;
    const base = baseUrl?.() ?? index.url;
    const release = await releaseJson(index, route.project, route.version, base);
    if (release === undefined) return this.#noSuchProject(route.project);
    return {
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-cache' },
      body: JSON.stringify(release),
    };
  }

  async #metadata(route: PackageRoute): Promise<Answer> {
    const bytes = await this.#options.index.metadata(route.project, route.filename);
    if (bytes === undefined) return this.#noSuchFile(route);
    return {
      status: 200,
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        'cache-control': 'public, max-age=31536000, immutable',
      },
      body: bytes,
    };
  }

  async #file(route: PackageRoute, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { index } = this.#options;
    const found = await index.fileTarget(route.project, route.filename);
    if (found === undefined) return send(request, response, await this.#noSuchFile(route));
    const content = {
      sha256: found.sha256,
      length: found.target.length,
      contentType: 'application/octet-stream',
    };
    await sendFile(request, response, content, async () => (await index.download(found)).path);
  }

  #noSuchProject(project: string): Promise<Answer> {
    return this.#noSuch(project);
  }

  #noSuchFile({ project, filename }: PackageRoute): Promise<Answer> {
    return this.#noSuch(project, filename);
  }

  async #noSuch(project: string, filename?: string): Promise<Answer> {
    const absence = await this.#options.index.absence(project, filename);
    this.#options.onAbsent?.(absence);
    return plainText(404, `${absence.what} This answer is verified. ${absence.meaning} ${absence.remedy}`);
  }

  /** A verification that failed: told to the owner first, then answered so that the installer stops. */
  async #refuse(
    error: unknown,
    route: Route,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (response.headersSent) throw error;
    const { index, onFailure } = this.#options;
    const verdict = explain(error, { subject: routeSubject(route), index: index.url, now: this.#clock() });
    await onFailure?.(verdict);
    if (route.kind !== 'page') return send(request, response, refusedFile(verdict));
    this.#refusedPages.set(route.project, verdict);
    const answer = refusedPage(verdict, {
      project: route.project,
      format: pageFormat(request) ?? 'text-html',
      userAgent: request.headers['user-agent'],
      knownFilenames: await index.knownFilenames(route.project),
    });
    send(request, response, answer);
  }

  #forgotten(route: Route): Verdict {
    const what = 'The page of this project could not be verified before';
    return createVerdict('not-signed', routeSubject(route), this.#options.index.url, what);
  }
}

const LIST_REFUSAL =
  'The list of all projects is not signed, so it is not served. Ask for one project: simple/<project>/.';

function pageFormat(request: IncomingMessage): PageFormat | undefined {
  const query = new URLSearchParams((request.url ?? '').split('?')[1] ?? '');
  return negotiate(request.headers.accept, query.get('format') ?? undefined);
}
