import type { IncomingMessage, ServerResponse } from 'node:http';
import { IndexAnswers, type AnsweringIndex } from '../index-answers.ts';
import type { ClientPolicy } from '../policy.ts';
import { parseIndexRoute, type Route } from '../route.ts';
import { plainText, send } from '../send.ts';
import type { Verdict } from '../verdict.ts';
import type { Forwarder } from './forward.ts';
import { authorityOf, originOf } from './intercepted-place.ts';
import type { UnverifiedTally } from './unverified.ts';

/** A verified index under a URL that installers know. */
export interface InterceptedIndex {
  /** With the final slash. */
  readonly baseUrl: string;
  readonly index: AnsweringIndex;
  /** Base URL of a trusted index: projects that come from another trusted one are not here. */
  readonly only?: string;
}

export interface InterceptedIndexesOptions {
  readonly indexes: readonly InterceptedIndex[];
  /** Says which index a project comes from, and which the escape hatch does not open; without it any may give any. */
  readonly policy?: Pick<ClientPolicy, 'routeOf' | 'rulesOf'> | undefined;
  /** The escape hatch: hands on what no rule locks, without verifying it. */
  readonly isUnverified?: boolean | undefined;
  readonly onFailure?: ((verdict: Verdict) => void | Promise<void>) | undefined;
  /** Called with everything that was asked for and that an index, signed and freshly, does not have. */
  readonly onAbsent?: ((absence: Verdict) => void) | undefined;
  readonly forwarder: Forwarder;
  readonly tally: UnverifiedTally;
}

const LONGEST_PLACE = 200;

interface Intercepted extends InterceptedIndex {
  readonly origin: string;
  /** Path of the base URL. */
  readonly prefix: string;
  readonly answers: IndexAnswers;
}

/** The trusted indexes behind the proxy, found by the URLs that are asked for. */
export class InterceptedIndexes {
  readonly #options: InterceptedIndexesOptions;
  /** By origin. */
  readonly #byOrigin = new Map<string, readonly Intercepted[]>();

  constructor(options: InterceptedIndexesOptions) {
    this.#options = options;
    for (const given of options.indexes) {
      const { baseUrl, index } = given;
      const url = new URL(baseUrl);
      const origin = originOf(url.protocol === 'https:' ? 'https:' : 'http:', authorityOf(url));
      const { onFailure, onAbsent } = options;
      const answers = new IndexAnswers({ index, onFailure, onAbsent, baseUrl: () => baseUrl });
      const known = this.#byOrigin.get(origin) ?? [];
      this.#byOrigin.set(origin, [...known, { ...given, origin, prefix: url.pathname, answers }]);
    }
  }

  /** Names and addresses of the indexes that are reached over https. */
  get secureHosts(): readonly string[] {
    const urls = this.#options.indexes.map(({ baseUrl }) => new URL(baseUrl));
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
    this.#options.tally.count(origin + (target.split('?', 1)[0] ?? '').slice(0, LONGEST_PLACE), 'refused');
    send(
      request,
      response,
      plainText(403, `rind refuses this: at ${origin} only a trusted index can be verified.`),
    );
  }

  async #answerRoute(
    { baseUrl, only, origin, answers }: Intercepted,
    route: Route,
    target: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { policy, isUnverified, forwarder, tally } = this.#options;
    const project = 'project' in route ? route.project : undefined;
    const wanted = project === undefined || only === undefined ? only : policy?.routeOf(project);
    if (project !== undefined && wanted !== undefined && wanted !== only) {
      return send(request, response, elsewhere(project, wanted, baseUrl));
    }
    const isLocked = project !== undefined && policy?.rulesOf(project).locked === true;
    if (isUnverified !== true || isLocked) return answers.answer(route, request, response);
    tally.count(baseUrl, 'passed');
    await forwarder.forward(origin + target, request, response);
  }
}

function elsewhere(project: string, wanted: string, baseUrl: string): ReturnType<typeof plainText> {
  const sentence = `By the rules of this project or user, ${project} comes from ${wanted} and not from ${baseUrl}.`;
  return plainText(404, sentence);
}
