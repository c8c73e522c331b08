/** Where a request goes, decoded exactly once. */
export interface RequestTarget {
  /** Begins with `/`; decoded; no empty, `.` or `..` segment except that it may end with `/`; no control character or backslash. */
  readonly path: string;
  /** The query as sent, without `?`; empty when there is none. */
  readonly query: string;
}

/** Longest request target that is looked at, in characters. */
export const MAX_TARGET_LENGTH = 2048;

const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i;

/**
 * Reads a request target (RFC 9112 section 3.2, origin and absolute form). `pathPrefix` ('' or '/python') is the path under
 * which a reverse proxy shows this server: it is taken off when the proxy left it on.
 *
 * @returns undefined for anything that no path of this server can look like; never throws
 */
export function parseRequestTarget(target: string, pathPrefix = ''): RequestTarget | undefined {
  const origin =
    target.startsWith('/') || !ABSOLUTE_FORM.test(target) ? target : target.replace(ABSOLUTE_FORM, '') || '/';
  const question = origin.indexOf('?');
  const raw = question === -1 ? origin : origin.slice(0, question);
  const query = question === -1 ? '' : origin.slice(question + 1);
  const [first, ...segments] = raw.split('/');
  if (first !== '' || segments.length === 0) return undefined;
  const decoded: string[] = [];
  for (const [position, segment] of segments.entries()) {
    const text = decodeSegment(segment);
    const isLast = position === segments.length - 1;
    if (text === undefined || text === '.' || text === '..' || (text === '' && !isLast)) return undefined;
    decoded.push(text);
  }
  return { path: withoutPrefix(`/${decoded.join('/')}`, pathPrefix), query };
}

function decodeSegment(segment: string): string | undefined {
  try {
    const text = segment.includes('%') ? decodeURIComponent(segment) : segment;
    return isSafeSegment(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** No slash that was hidden by percent-encoding, no backslash, no control character. */
function isSafeSegment(text: string): boolean {
  for (let position = 0; position < text.length; position += 1) {
    const code = text.charCodeAt(position);
    if (code < 0x20 || code === 0x7f || code === 0x2f || code === 0x5c) return false;
  }
  return true;
}

function withoutPrefix(path: string, prefix: string): string {
  if (prefix === '' || !path.startsWith(prefix)) return path;
  const rest = path.slice(prefix.length);
  return rest.startsWith('/') ? rest : path;
}
