import { errorFields } from './errors.ts';

/** A project whose changes go on waiting, and why. */
export interface HeldBackProject {
  readonly project: string;
  readonly error: unknown;
}

interface Held extends HeldBackProject {
  readonly reason: string;
  /** Its youngest change when it was tried last. */
  readonly lastChange: number;
  readonly triedAt: number;
  readonly pause: number;
}

/** Milliseconds between two attempts, doubled with each up to the second. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;
/** Projects that are named in the log when many cannot be published: some with their reason, some more by name. */
const TOLD_ONE_BY_ONE = 10;
const TOLD_TOGETHER = 100;
/** Projects tried again by one publication: however many there are, the others do not wait for them. */
const TRIED_TOGETHER = 32;

/**
 * The projects that could not be published, as long as this process runs. Each is tried again after a pause that grows, or at once when
 * something of it changed meanwhile; until then its changes stand in nobody's way.
 */
export class HeldBackProjects {
  readonly #elapsed: () => number;
  readonly #projects = new Map<number, Held>();
  #tried = new Set<number>();

  /** `elapsed`: milliseconds of a clock that nobody sets. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  get all(): readonly HeldBackProject[] {
    return [...this.#projects.values()];
  }

  /** Another publication looks at what waits: some of those whose pause is over are tried again. */
  begin(): void {
    const now = this.#elapsed();
    this.#tried = new Set();
    for (const [id, { triedAt, pause }] of this.#projects) {
      if (this.#tried.size >= TRIED_TOGETHER) return;
      if (now >= triedAt + pause) this.#tried.add(id);
    }
  }

  /** Whether a change is left where it is this time. */
  skips({ id, project_id }: { readonly id: number; readonly project_id: number | null }): boolean {
    const held = this.#projects.get(project_id ?? 0);
    return held !== undefined && id <= held.lastChange && !this.#tried.has(project_id ?? 0);
  }

  /** True when that is news. */
  hold(projectId: number, lastChange: number, failed: HeldBackProject): boolean {
    const before = this.#projects.get(projectId);
    const reason = String(failed.error);
    const pause = before === undefined ? FIRST_PAUSE : Math.min(LONGEST_PAUSE, before.pause * 2);
    // At the end: who was tried last is last in the next turn.
    this.#projects.delete(projectId);
    this.#projects.set(projectId, { ...failed, reason, lastChange, triedAt: this.#elapsed(), pause });
    this.#tried.delete(projectId);
    return before?.reason !== reason;
  }

  release(projectId: number): void {
    this.#projects.delete(projectId);
  }
}

/** Says once of each why it waits; of many at once by name only. */
export function tellHeldBack(
  log: { warn(fields: Readonly<Record<string, unknown>>, message: string): void } | undefined,
  index: string,
  failures: readonly HeldBackProject[],
): void {
  const message = 'project cannot be published, its changes go on waiting';
  for (const { project, error } of failures.slice(0, TOLD_ONE_BY_ONE))
    log?.warn({ index, project, ...errorFields(error) }, message);
  const more = failures.slice(TOLD_ONE_BY_ONE).map(({ project }) => project);
  if (more.length === 0) return;
  const fields = { index, count: more.length, projects: more.slice(0, TOLD_TOGETHER) };
  log?.warn(fields, 'more projects cannot be published, their changes go on waiting');
}
