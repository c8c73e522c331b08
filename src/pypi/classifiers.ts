import { CLASSIFIERS, TROVE_VERSION, WITHDRAWN_CLASSIFIERS } from './trove-classifiers.ts';

/** What a public and a private index judge differently. */
export interface ClassifierPolicy {
  /** Withdrawn ones, and those that begin with `Private ::`, which nobody else knows. */
  readonly deprecatedClassifiers: boolean;
  /** Those that are not in the list, which is PyPI's of the day that `TROVE_VERSION` names. */
  readonly unknownClassifiers: boolean;
}

const WITHDRAWN: ReadonlyMap<string, string | undefined> = new Map(WITHDRAWN_CLASSIFIERS);
const PRIVATE = /^private ::/i;
/** Made when it is asked for first. */
let known: ReadonlySet<string> | undefined;

/** Why an index of this policy does not take a classifier, as the end of a sentence; `undefined` when nothing speaks against it. */
export function classifierObjection(classifier: string, policy: ClassifierPolicy): string | undefined {
  const isPrivate = PRIVATE.test(classifier);
  const isWithdrawn = WITHDRAWN.has(classifier);
  if (isPrivate || isWithdrawn) {
    if (policy.deprecatedClassifiers) return undefined;
    if (isPrivate) return 'says that the distribution is not for a public index';
    const successor = WITHDRAWN.get(classifier);
    return successor === undefined ? 'was withdrawn' : `was withdrawn, '${successor}' took its place`;
  }
  if (policy.unknownClassifiers || knownClassifiers().has(classifier)) return undefined;
  return `is not in the list of classifiers (trove-classifiers ${TROVE_VERSION})`;
}

function knownClassifiers(): ReadonlySet<string> {
  known ??= new Set(
    CLASSIFIERS.flatMap(([top, rests]) => rests.split('|').map((rest) => `${top} :: ${rest}`)),
  );
  return known;
}
