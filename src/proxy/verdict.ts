/**
 * Why something was not given to the installer.
 *
 * - `tampered`: bytes are not the signed ones, or more than the signed ones
 * - `wrongly-signed`: fewer of the right keys signed than are needed
 * - `malformed`: metadata or a page that is none
 * - `expired`, `rollback`: signed once, but no longer, or not any more
 * - `fork`: signed, but the index shows another history than before
 * - `not-signed`: listed or asked for, but no role signs it
 * - `not-yet-signed`: the server has it, and so far no role signs it
 * - `revoked`: signed once, and withdrawn by whoever signed it
 * - `unknown`: the signatures say that there is no such thing
 * - `taken-down`: signed by its developers, and withheld by the administrators of the index
 * - `policy`: verified, but a rule of the project or the user does not let it be installed
 * - `no-agreement`: the indexes that have to agree show different content
 * - `incomplete`: signed, but its server does not have it
 * - `unreachable`: nothing came, or too slowly, so nothing can be said
 * - `local-state`: the trusted metadata on this machine cannot be used
 * - `internal`: a fault of this program
 */
export type VerdictCode =
  | 'tampered'
  | 'wrongly-signed'
  | 'malformed'
  | 'expired'
  | 'rollback'
  | 'fork'
  | 'not-signed'
  | 'not-yet-signed'
  | 'revoked'
  | 'unknown'
  | 'taken-down'
  | 'policy'
  | 'no-agreement'
  | 'incomplete'
  | 'unreachable'
  | 'local-state'
  | 'internal';

/** A refusal in plain words: three sentences for a person, a code for programs. */
export interface Verdict {
  readonly code: VerdictCode;
  /** The path in the index the request was about, e.g. `packages/flask/flask-3.0-py3-none-any.whl`. */
  readonly subject: string;
  /** Base URL of the index. */
  readonly index: string;
  /** What failed, one sentence. */
  readonly what: string;
  /** What it may mean, one sentence. */
  readonly meaning: string;
  /** What to do, one sentence. */
  readonly remedy: string;
}

/** Carries a finding of the proxy itself (other findings are errors of tuf/, pypi/ and updater/). */
export class VerdictError extends Error {
  override readonly name = 'VerdictError';
  readonly code: VerdictCode;

  constructor(code: VerdictCode, what: string, options?: ErrorOptions) {
    super(what, options);
    this.code = code;
  }
}

interface Explanation {
  readonly meaning: string;
  readonly remedy: string;
}

const ASK = 'tell whoever runs the index, and do not install it another way';

const EXPLANATIONS: Readonly<Record<VerdictCode, Explanation>> = {
  tampered: {
    meaning: 'Something changed it after it was signed: an attack, a broken mirror or a damaged disk.',
    remedy: `Try once more; if it stays, ${ASK}.`,
  },
  'wrongly-signed': {
    meaning: 'Somebody without the keys wrote it, or this is not the index that was trusted here.',
    remedy: `Check the URL; if it is right, ${ASK}.`,
  },
  malformed: {
    meaning: 'The server of the index is broken, or something on the way answers in its place.',
    remedy: 'Check that the URL leads to the index itself and not to a login page or a gateway.',
  },
  expired: {
    meaning:
      'The index has stopped signing, or newer versions are held back from you; or the clock of this machine is wrong.',
    remedy: 'Check the clock; if it is right, ask whoever runs the index to sign again.',
  },
  rollback: {
    meaning:
      'You are shown an older state of the index than before, in which a mended hole may be open again; or it was restored from an old backup.',
    remedy: `Try once more, without a mirror if there is one; if it stays, ${ASK}.`,
  },
  fork: {
    meaning:
      'Somebody else can sign for this index and shows you other content than everybody else; or it was restored from a backup without saying so.',
    remedy: `Install nothing from it, and ${ASK}: the public log of the index shows who is right.`,
  },
  'not-signed': {
    meaning: 'It was withdrawn a moment ago, or something on the way added it.',
    remedy: 'Run the command again; if it stays, tell whoever runs the index.',
  },
  'not-yet-signed': {
    meaning: 'It was uploaded a moment ago and waits to be signed, or something on the way added it.',
    remedy: 'Run the command again in a minute; if it stays, tell whoever runs the index.',
  },
  revoked: {
    meaning: 'Its developers or whoever runs the index withdrew it, perhaps because it did harm.',
    remedy: 'Do not use copies of it that are still around; choose another version.',
  },
  unknown: {
    meaning:
      'The name is mistyped, it stands in another index, or it was withdrawn before this machine saw it.',
    remedy: 'Check the spelling and the version, and which index the name should come from.',
  },
  'taken-down': {
    meaning: 'This is no attack: the signed list of the index says that its administrators withhold it.',
    remedy: 'Choose another version; the bulletin of the index, or whoever runs it, says more.',
  },
  policy: {
    meaning: 'No signature is at fault: a rule of this project or of your rind.toml forbids it.',
    remedy: 'Choose what the rule allows, or have whoever wrote the rule change it.',
  },
  'no-agreement': {
    meaning: 'One of the indexes was broken into, or they were not brought up to date together.',
    remedy: `Compare what each of them shows; if one is wrong, ${ASK}.`,
  },
  incomplete: {
    meaning: 'The mirror is incomplete, or something on the way holds it back.',
    remedy: 'Run the command again; if it stays, tell whoever runs the index or use another mirror.',
  },
  unreachable: {
    meaning: 'Nothing is known to be wrong, but nothing can be verified either.',
    remedy: 'Check the network and that the index is running, then run the command again.',
  },
  'local-state': {
    meaning: 'What this machine remembers of the index is damaged or belongs to somebody else.',
    remedy: 'Mend the permissions, or remove the trust in the index and add it again.',
  },
  internal: {
    meaning: 'This is a fault of rind, and nothing was installed because of it.',
    remedy: 'Please report it with the command that led to it.',
  },
};

/** Whether the index was reached and did not stand up to verification; otherwise there was nothing to verify. */
export function isVerificationFailure(verdict: Verdict): boolean {
  return !['unreachable', 'local-state', 'internal'].includes(verdict.code);
}

/** Makes a verdict; `what` is one sentence. Control characters are taken out, and its length is limited. */
export function createVerdict(code: VerdictCode, subject: string, index: string, what: string): Verdict {
  return { code, subject: oneLine(subject), index, what: sentence(what), ...EXPLANATIONS[code] };
}

/** The verdict in a few letters for a URL: `tampered-packages-flask-flask-3.0.tar.gz`. */
export function verdictSlug(verdict: Verdict): string {
  const slug = `${verdict.code}-${verdict.subject}`.replace(/[^A-Za-z0-9.]+/g, '-');
  return slug.slice(0, 120).replace(/[-.]+$/, '');
}

/** The verdict as an HTTP reason phrase: printable ASCII, which pip shows as it is. */
export function verdictReason(verdict: Verdict): string {
  return `rind refuses ${verdict.subject} (${verdict.code}): ${verdict.what}`
    .replace(/[^ -~]/g, '?')
    .slice(0, 400);
}

function sentence(text: string): string {
  const line = oneLine(text);
  const cut = line.length > 600 ? `${line.slice(0, 600)}...` : line;
  return /[.!?]$/.test(cut) ? cut : `${cut}.`;
}

/** Role names and messages may hold anything a repository wrote. */
function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex -- taking control characters out is the point
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
}
