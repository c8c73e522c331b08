/** Values per statement: below the limit of 32,766 parameters of SQLite for rows of up to 60 columns. */
const CHUNK_LENGTH = 500;

/** The values in runs short enough for the parameters of one statement. */
export function* chunked<T>(values: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < values.length; start += CHUNK_LENGTH) {
    yield values.slice(start, start + CHUNK_LENGTH);
  }
}
