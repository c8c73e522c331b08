import { check } from './fields.ts';

const FORMAT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/**
 * Reads `expires` (spec 4.2.1): exactly `YYYY-MM-DDTHH:MM:SSZ` and a moment that exists, because a date that reads as
 * NaN never expires.
 * @throws {MalformedMetadataError}
 */
export function readExpires(text: string): Date {
  const date = new Date(FORMAT.test(text) ? text : Number.NaN);
  const exists = !Number.isNaN(date.getTime()) && formatExpires(date) === text;
  check(exists, 'expires', 'must be an existing moment written YYYY-MM-DDTHH:MM:SSZ');
  return date;
}

/** Writes `expires` (spec 4.2.1): `YYYY-MM-DDTHH:MM:SSZ`, fractions of a second left out. */
export function formatExpires(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}
