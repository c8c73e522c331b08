import { CeremonyError } from './errors.ts';

/** One section of a plan file, read strictly: what nobody asked for is refused, because a mistyped setting would silently be a default. */
export class PlanTable {
  readonly place: string;
  readonly #values: Map<string, unknown>;

  private constructor(values: Map<string, unknown>, place: string) {
    this.#values = values;
    this.place = place;
  }

  /** Throws MALFORMED_PLAN unless the value is a table. */
  static of(value: unknown, place: string): PlanTable {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw malformed(`${place} must be a table.`);
    return new PlanTable(new Map(Object.entries(value)), place);
  }

  string(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value === 'string' && /^[^\p{Cc}\p{Cf}\p{Cs}]{0,1000}$/u.test(value)) return value;
    throw malformed(`"${name}" in ${this.place} must be one line of text.`);
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.string(name);
    if (value === undefined) return undefined;
    const choice = choices.find((known) => known === value);
    if (choice !== undefined) return choice;
    throw malformed(`"${name}" in ${this.place} must be one of ${choices.join(', ')}.`);
  }

  integer(name: string): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    throw malformed(`"${name}" in ${this.place} must be a whole number.`);
  }

  boolean(name: string): boolean | undefined {
    const value = this.#take(name);
    if (value === undefined || typeof value === 'boolean') return value;
    throw malformed(`"${name}" in ${this.place} must be true or false.`);
  }

  strings(name: string): readonly string[] | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((entry): entry is string => typeof entry === 'string'))
      return value;
    throw malformed(`"${name}" in ${this.place} must be a list of texts.`);
  }

  table(name: string): PlanTable | undefined {
    const value = this.#take(name);
    return value === undefined ? undefined : PlanTable.of(value, `[${name}]`);
  }

  tables(name: string): readonly PlanTable[] {
    const value = this.#take(name) ?? [];
    if (!Array.isArray(value)) throw malformed(`"${name}" in ${this.place} must be a list of tables.`);
    return value.map((entry, index) => PlanTable.of(entry, `${this.place} ${name} ${index + 1}`));
  }

  /** Throws MALFORMED_PLAN when something was not read. */
  end(): void {
    const [unknown] = this.#values.keys();
    if (unknown !== undefined) throw malformed(`"${unknown}" in ${this.place} is not known.`);
  }

  #take(name: string): unknown {
    const value = this.#values.get(name);
    this.#values.delete(name);
    return value;
  }
}

function malformed(problem: string): CeremonyError {
  return new CeremonyError('MALFORMED_PLAN', `The plan cannot be read: ${problem}`);
}
