import { createHash } from 'node:crypto';
import { matchesName, mostSpecific, type NamePattern } from './name-pattern.ts';

/** What has to hold for a project, whatever the installer asks for. */
export interface ProjectRules {
  /** Base URL of the one index that the project must come from. */
  readonly index?: string;
  /** Its developers must have signed, and offline keys of the index must say who they are. */
  readonly mustBeClaimed: boolean;
  /** The only keys that the project may be delegated to, by id; undefined: any. */
  readonly signers?: ReadonlySet<string>;
  /** Days that have to pass between the upload of a file and its installation; 0 is none. */
  readonly minimumAgeDays: number;
  /** The escape hatch does not open this project. */
  readonly locked: boolean;
}

/** Several indexes that have to agree about some projects (TAP 4). */
export interface Agreement {
  /** Base URLs, the preferred one first. */
  readonly indexes: readonly string[];
  readonly threshold: number;
}

/** What somebody decided about indexes and names. Projects are named in normalized form. */
export interface ClientPolicy {
  /** Base URL of the index that a project comes from and from no other; undefined when none may give it. */
  routeOf(project: string): string | undefined;
  /** The indexes that have to agree about a project, if there is more than one; {@link routeOf} is the first of them. */
  agreementOf(project: string): Agreement | undefined;
  /** Every agreement there is. */
  readonly agreements: readonly Agreement[];
  rulesOf(project: string): ProjectRules;
  /** Whether any rule, route or agreement speaks about single projects; without it there is one index and nothing to check. */
  readonly isPlain: boolean;
  /** Says the same for equal policies. */
  readonly digest: string;
  /** Base URL of the index of all names that nothing else speaks about. */
  readonly defaultIndex: string | undefined;
  /** What happens to connections to hosts that are no trusted index. */
  readonly unknownHosts: 'refuse' | 'tunnel';
}

/** A rule about the projects that one of its patterns matches. All rules that match hold. */
export interface PolicyRule {
  readonly projects: readonly NamePattern[];
  readonly mustBeClaimed: boolean;
  /** Key ids; empty: any. */
  readonly signedBy: readonly string[];
  readonly minimumAgeDays: number;
  readonly locked: boolean;
}

/** What a policy is made of. */
export interface PolicyParts {
  /** Base URL by pattern; of several that match the most specific one counts. */
  readonly routes: ReadonlyMap<NamePattern, string>;
  readonly agreements: ReadonlyMap<NamePattern, Agreement>;
  readonly rules: readonly PolicyRule[];
  /** Base URL of the index of all other projects. */
  readonly defaultIndex: string | undefined;
  readonly unknownHosts: 'refuse' | 'tunnel';
}

/** Makes the policy that its parts describe. */
export function createPolicy(parts: PolicyParts): ClientPolicy {
  const { routes, agreements, rules, defaultIndex, unknownHosts } = parts;
  const agreementOf = (project: string): Agreement | undefined => mostSpecific(agreements, project);
  const routeOf = (project: string): string | undefined =>
    agreementOf(project)?.indexes[0] ?? mostSpecific(routes, project) ?? defaultIndex;
  const rulesOf = (project: string): ProjectRules => {
    const matching = rules.filter(({ projects }) =>
      projects.some((pattern) => matchesName(pattern, project)),
    );
    const index = agreementOf(project)?.indexes[0] ?? mostSpecific(routes, project);
    const signers = commonKeys(matching.map(({ signedBy }) => signedBy).filter(({ length }) => length > 0));
    return {
      ...(signers === undefined ? {} : { signers }),
      mustBeClaimed: matching.some(({ mustBeClaimed }) => mustBeClaimed),
      minimumAgeDays: Math.max(0, ...matching.map(({ minimumAgeDays }) => minimumAgeDays)),
      locked: matching.some(({ locked }) => locked),
      ...(index === undefined ? {} : { index }),
    };
  };
  const isPlain = routes.size === 0 && agreements.size === 0 && rules.length === 0;
  return {
    routeOf,
    agreementOf,
    rulesOf,
    isPlain,
    defaultIndex,
    unknownHosts,
    agreements: [...new Set(agreements.values())],
    digest: digestOf(parts),
  };
}

/** All rules that match hold, so that a key has to stand in each of them. */
function commonKeys(pins: readonly (readonly string[])[]): ReadonlySet<string> | undefined {
  const [first, ...others] = pins;
  if (first === undefined) return undefined;
  return new Set(first.filter((keyId) => others.every((other) => other.includes(keyId))));
}

function digestOf({ routes, agreements, rules, defaultIndex, unknownHosts }: PolicyParts): string {
  const text = JSON.stringify([[...routes], [...agreements], rules, defaultIndex, unknownHosts]);
  return createHash('sha256').update(text).digest('hex');
}
