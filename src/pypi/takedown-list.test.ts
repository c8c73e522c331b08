import { describe, expect, it } from 'vitest';
import { parseIndexPath } from './layout.ts';
import {
  InvalidTakedownListError,
  parseTakedowns,
  renderTakedowns,
  takedownOf,
  TAKEDOWNS_PATH,
  type Takedown,
} from './takedown-list.ts';

const since = '2026-11-22T22:00:00.000Z';
const FILE: Takedown = { project: 'foo', filename: 'foo-1.0.tar.gz', reason: 'court order 7', since };
const WHOLE: Takedown = { project: 'bar', filename: null, reason: 'malware', since };

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const listOf = (...rows: unknown[]) => bytes({ version: 1, takedowns: rows });

describe('the list of takedowns', () => {
  it('stands at a path that no project can have', () => {
    expect(TAKEDOWNS_PATH).toBe('simple/_takedowns/index.json');
    expect(parseIndexPath(TAKEDOWNS_PATH)).toBeUndefined();
  });

  it('reads what it wrote, which is canonical JSON', () => {
    const written = renderTakedowns([WHOLE, FILE]);
    expect(parseTakedowns(written)).toEqual([WHOLE, FILE]);
    expect(new TextDecoder().decode(renderTakedowns([FILE]))).toBe(
      `{"takedowns":[{"filename":"foo-1.0.tar.gz","project":"foo","reason":"court order 7","since":"${since}"}],"version":1}`,
    );
  });

  it('withholds one file, or all of a project', () => {
    const list = [WHOLE, FILE];
    expect(takedownOf(list, 'foo', 'foo-1.0.tar.gz')).toBe(FILE);
    expect(takedownOf(list, 'foo', 'foo-2.0.tar.gz')).toBeUndefined();
    expect(takedownOf(list, 'bar', 'bar-9.tar.gz')).toBe(WHOLE);
    expect(takedownOf(list, 'baz', 'foo-1.0.tar.gz')).toBeUndefined();
  });

  it.each([
    ['no JSON', new TextEncoder().encode('{')],
    ['another version', bytes({ version: 2, takedowns: [] })],
    ['no list', bytes({ version: 1, takedowns: {} })],
    ['no object', listOf('foo')],
    ['a project that is not normalized', listOf({ ...FILE, project: 'Foo' })],
    ['the project of the list itself', listOf({ ...FILE, project: '_takedowns' })],
    ['a path as its file', listOf({ ...FILE, filename: '../foo' })],
    ['no file', listOf({ ...FILE, filename: 7 })],
    ['a reason of two lines', listOf({ ...FILE, reason: 'a\nb' })],
    ['a reason with an escape sequence', listOf({ ...FILE, reason: '\u001b[31mred' })],
    ['no time', listOf({ ...FILE, since: 'today' })],
  ])('refuses %s', (_what, list) => {
    expect(() => parseTakedowns(list)).toThrow(InvalidTakedownListError);
  });
});
