export type ConfigErrorCode = 'UNREADABLE_FILE' | 'INVALID_TOML' | 'INVALID_SETTINGS';

/** The settings cannot be used; `problems` are whole sentences, each naming the place and the way out. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: ConfigErrorCode;
  readonly problems: readonly string[];

  constructor(code: ConfigErrorCode, problems: readonly string[], options?: ErrorOptions) {
    super(problems[0] ?? 'The settings cannot be used.', options);
    this.code = code;
    this.problems = problems;
  }
}
