import type { IncomingMessage, ServerResponse } from 'node:http';
import { IndexAnswers, type AnsweringIndex } from '../index-answers.ts';
import type { ClientPolicy } from '../policy.ts';
import { parseIndexRoute, type Route } from '../route.ts';
import { plainText, send } from '../send.ts';
import type { Verdict } from '../verdict.ts';
import type { Forwarder } from './forward.ts';
import { authorityOf, originOf } from './intercepted-place.ts';
import type { UnverifiedTally } from './unverified.ts';

export interface InterceptedIndexesOptions {
  /** Verified indexes by the base URL that installers know, with the final slash. */
  readonly indexes: ReadonlyMap<string, AnsweringIndex>;
  /** Says which index a project comes from, and which the escape hatch does not open; without it any index may give any. */
  readonly policy?: Pick<ClientPolicy, 'routeOf' | 'rulesOf'> | undefined;
  /** The escape hatch: hands on what no rule locks, without verifying it. */
  readonly isUnverified?: boolean | undefined;
  readonly onFailure?: ((verdict: Verdict) => void | Promise<void>) | undefined;
  /** Called with every project an index, signed and freshly, does not have. */
  readonly onAbsent?: ((project: string, index: string) => void) | undefined;
  readonly forwarder: Forwarder;
  readonly tally: UnverifiedTally;
}

interface Intercepted {
  readonly baseUrl: string;
  readonly origin: string;
  /** Path of the base URL. */
  readonly prefix: string;
  readonly index: AnsweringIndex;
  readonly answers: IndexAnswers;
}

/** The trusted indexes behind the proxy, found by the URLs that are asked for. */
export class InterceptedIndexes {
  readonly #options: InterceptedIndexesOptions;
  /** By origin. */
  readonly #byOrigin = new Map<string, readonly Intercepted[]>();

  constructor(options: InterceptedIndexesOptions) {
    this.#options = options;
    for (const [baseUrl, index] of options.indexes) {
      const url = new URL(baseUrl);
      const origin = originOf(url.protocol === 'https:' ? 'https:' : 'http:', authorityOf(url));
      const onAbsent = (project: string): void => options.onAbsent?.(project, baseUrl);
      const answers = new IndexAnswers({
        index,
        onFailure: options.onFailure,
        onAbsent,
        baseUrl: () => baseUrl,
      });
      const known = this.#byOrigin.get(origin) ?? [];
      this.#byOrigin.set(origin, [...known, { baseUrl, origin, prefix: url.pathname, index, answers }]);
    }
  }

  /** Names and addresses of the indexes that are reached over https. */
  get secureHosts(): readonly string[] {
    const urls = [...this.#options.indexes.keys()].map((url) => new URL(url));
    const secure = urls.filter((url) => url.protocol === 'https:');
    return [...new Set(secure.map((url) => authorityOf(url).hostname))];
  }

  has(origin: string): boolean {
    return this.#byOrigin.has(origin);
  }

  /** @param target path and query as received */
  async answer(
    origin: string,
    target: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    for (const intercepted of this.#byOrigin.get(origin) ?? []) {
      const route = parseIndexRoute(target, intercepted.prefix);
      if (route !== undefined) return this.#answerRoute(intercepted, route, target, request, response);
    }
    this.#options.tally.count(origin, 'refused');
    send(
      request,
      response,
      plainText(403, `rind refuses this: at ${origin} only a trusted index can be verified.`),
    );
  }

  async #answerRoute(
    { baseUrl, origin, index, answers }: Intercepted,
    route: Route,
    target: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { policy, isUnverified, forwarder, tally } = this.#options;
    const project = 'project' in route ? route.project : undefined;
    if (project !== undefined && policy !== undefined && policy.routeOf(project) !== index.url) {
      return send(request, response, wrongIndex(project, baseUrl, policy.routeOf(project)));
    }
    const isLocked = project !== undefined && policy?.rulesOf(project).locked === true;
    if (isUnverified !== true || isLocked) return answers.answer(route, request, response);
    tally.count(baseUrl, 'passed');
    await forwarder.forward(origin + target, request, response);
  }
}

function wrongIndex(
  project: string,
  baseUrl: string,
  wanted: string | undefined,
): ReturnType<typeof plainText> {
  const rule = wanted === undefined ? 'comes from no index' : `comes from ${wanted}`;
  return plainText(
    404,
    `By the rules of this machine or project, ${project} ${rule}, and not from ${baseUrl}.`,
  );
}
