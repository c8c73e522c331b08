import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';

/** One logical line of a requirements file, continuation lines joined, comments gone, variables replaced. */
export interface RequirementsLine {
  readonly path: string;
  /** Of its first physical line, from 1. */
  readonly number: number;
  readonly text: string;
  /** `text` split at white space, quotes taken off. */
  readonly words: readonly string[];
}

const MAX_LENGTH = 16 * 2 ** 20;

/**
 * The lines of a requirements file and of every file it includes with `-r` or `-c`, as pip reads them. A file that
 * cannot be read gives nothing: pip will say so itself. One that is a URL gives that URL as its only line.
 */
export async function* readRequirementsFiles(
  path: string,
  environment: NodeJS.ProcessEnv,
  seen: Set<string> = new Set(),
): AsyncGenerator<RequirementsLine> {
  if (seen.has(path)) return;
  seen.add(path);
  if (/^[a-z][a-z0-9+.-]+:/i.test(path)) {
    yield { path, number: 1, text: path, words: [path] };
    return;
  }
  const text = await readFile(path, 'utf8').catch(() => '');
  for (const line of logicalLines(text.slice(0, MAX_LENGTH))) {
    const replaced = replaceVariables(line.text, environment);
    const words = splitWords(replaced);
    yield { path, number: line.number, text: replaced, words };
    for (const included of includedPaths(words))
      yield* readRequirementsFiles(resolveBeside(path, included), environment, seen);
  }
}

interface LogicalLine {
  readonly number: number;
  readonly text: string;
}

function* logicalLines(text: string): Generator<LogicalLine> {
  let parts: string[] = [];
  let number = 1;
  for (const [index, physical] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    if (parts.length === 0) number = index + 1;
    const isComment = /^\s*#/.test(physical);
    if (physical.endsWith('\\') && !isComment) {
      parts.push(physical.slice(0, -1));
      continue;
    }
    const joined = (isComment ? parts.join('') : [...parts, physical].join(''))
      .replace(/(^|\s)#.*$/, '')
      .trim();
    parts = [];
    if (joined !== '') yield { number, text: joined };
  }
  const last = parts.join('').trim();
  if (last !== '') yield { number, text: last };
}

/** pip replaces `${NAME}` in upper case, and nothing else. */
function replaceVariables(text: string, environment: NodeJS.ProcessEnv): string {
  return text.replace(/\$\{([A-Z0-9_]+)\}/g, (whole, name: string) => environment[name] ?? whole);
}

function splitWords(text: string): string[] {
  return (text.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? []).map((word) => word.replaceAll(/["']/g, ''));
}

/**
 * The files that words name as requirements or constraints: options stand anywhere on a line, and optparse takes every
 * beginning of a long option.
 */
export function includedPaths(words: readonly string[]): string[] {
  const paths: string[] = [];
  for (const [position, word] of words.entries()) {
    const [, short] = /^-[rc]=?(.*)$/.exec(word) ?? [];
    const [, name = '', long] = /^(--[a-z-]+)(?:=(.*))?$/.exec(word) ?? [];
    if (short === undefined && !isInclusion(name)) continue;
    const path = (short ?? long) || words[position + 1];
    if (path !== undefined) paths.push(path);
  }
  return paths;
}

function isInclusion(option: string): boolean {
  return option.length > 2 && INCLUSIONS.some((inclusion) => inclusion.startsWith(option));
}

const INCLUSIONS = ['--requirements', '--constraints', '--build-constraints'];

function resolveBeside(path: string, included: string): string {
  const isUrl = /^[a-z][a-z0-9+.-]+:/i.test(included);
  return isUrl || isAbsolute(included) ? included : join(dirname(path), included);
}
