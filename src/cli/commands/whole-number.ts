import { InvalidArgumentError } from 'commander';

/** Reads an option that is a count. */
export function wholeNumber(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('A count is a whole number from 1 on.');
}
