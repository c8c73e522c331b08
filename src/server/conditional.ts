import type { ByteRange } from '../storage/object-store.ts';

/** Whether an If-None-Match header names the entity tag, or any (RFC 9110 section 13.1.2, weak comparison). `etag` with its quotes. */
export function matchesEtag(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch === etag) return true;
  if (ifNoneMatch.trim() === '*') return true;
  for (const candidate of ifNoneMatch.split(',')) {
    const tag = candidate.trim();
    if (tag === etag || (tag.startsWith('W/') && tag.slice(2) === etag)) return true;
  }
  return false;
}

const REFUSES = /;\s*q=0(?:\.0{0,3})?\s*$/;

/** Whether an Accept-Encoding header allows gzip. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  if (acceptEncoding === undefined || !acceptEncoding.includes('gzip')) return false;
  if (!acceptEncoding.includes('q=0')) return true;
  return acceptEncoding
    .split(',')
    .some((coding) => coding.trim().split(/[\s;]/, 1)[0] === 'gzip' && !REFUSES.test(coding));
}

const SINGLE_RANGE = /^bytes=([0-9]{0,15})-([0-9]{0,15})$/;

/**
 * The one part of an object of `length` bytes that a Range header asks for (RFC 9110 section 14.2).
 * 'whole': there is no such header, or it asks for something this server may ignore (several ranges, other units).
 */
export function parseRange(
  range: string | undefined,
  length: number,
): ByteRange | 'whole' | 'not-satisfiable' {
  const parts = range === undefined ? null : SINGLE_RANGE.exec(range.replaceAll(' ', ''));
  if (parts === null) return 'whole';
  const [, first = '', last = ''] = parts;
  if (first === '' && last === '') return 'whole';
  if (first === '') {
    const wanted = Math.min(Number(last), length);
    return wanted === 0 ? 'not-satisfiable' : { start: length - wanted, end: length - 1 };
  }
  const start = Number(first);
  const end = last === '' ? length - 1 : Math.min(Number(last), length - 1);
  if (last !== '' && Number(last) < start) return 'whole';
  return start >= length ? 'not-satisfiable' : { start, end };
}
