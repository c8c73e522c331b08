import {
  bucket,
  duration,
  flag,
  issuers,
  names,
  networks,
  oneOf,
  path,
  paths,
  publicUrl,
  rate,
  size,
  text,
  url,
  whole,
  type Kind,
} from './kind.ts';

/** One key of the settings. */
export interface Key<Value> {
  readonly kind: Kind<unknown>;
  /** As it would stand in the file; undefined: nothing is set. */
  readonly standard: unknown;
  /** One or two sentences for the page of documentation. */
  readonly about: string;
  /** `rind config show` does not show it. */
  readonly isSecret: boolean;
  /** Only for the compiler. */
  readonly value?: Value;
}

export interface Section {
  readonly about: string;
  readonly keys: Readonly<Record<string, Key<unknown>>>;
}

/** A key that always has a value; `standard` is written as in the file. */
function key<Value>(kind: Kind<Value>, standard: unknown, about: string): Key<Value> {
  return { kind, standard, about, isSecret: false };
}

/** A key that may be without a value. */
function maybe<Value>(kind: Kind<Value>, about: string, isSecret = false): Key<Value | undefined> {
  return { kind, standard: undefined, about, isSecret };
}

const many = (most = 1_000_000_000): Kind<number> => whole(1, most);

/** Everything that can be set. The page docs/configuration.md, `rind config` and the environment are made of this table. */
export const SECTIONS = {
  server: {
    about: 'Where the server listens, and what people reach it by.',
    keys: {
      data: key(path, 'rind-data', 'The folder with everything of the index. Kept closed to other users.'),
      host: key(text, '127.0.0.1', 'Address to listen on. `0.0.0.0` or `::` for all of them.'),
      port: key(whole(0, 65_535), 8458, 'Port to listen on; 0 takes any that is free.'),
      'public-url': maybe(
        publicUrl,
        'The URL people use, when it is not that of `host` and `port`; may have a path. Only shown and used as audience of trusted publishing, never compared with a Host header.',
      ),
      'trusted-proxies': key(
        networks,
        [],
        'Reverse proxies whose `X-Forwarded-For`, `-Proto`, `-Host` and `X-Request-Id` are believed. Everybody else is known by the address of the connection.',
      ),
      'max-connections': key(many(1_000_000), 10_000, 'Open connections; further ones are closed at once.'),
    },
  },
  tls: {
    about:
      'TLS of its own, for a server without a reverse proxy. Both files are read again on SIGHUP; connections that are open stay open.',
    keys: {
      certificate: maybe(path, 'Certificate chain in PEM. Without it the server speaks plain HTTP.'),
      key: maybe(path, 'Private key of the certificate in PEM; keep it closed to other users.'),
    },
  },
  log: {
    about: 'What is written down. One JSON object per line; credentials are never in it.',
    keys: {
      level: key(
        oneOf('debug', 'info', 'warn', 'error', 'silent'),
        'warn',
        'Of the log on standard error. Read again on SIGHUP.',
      ),
      access: key(
        text,
        'off',
        '`off`, `stderr`, or the path of a file that gets one line per request. The file is opened anew on SIGHUP, so that it can be rotated.',
      ),
    },
  },
  metrics: {
    about: 'Figures for Prometheus at `/metrics`.',
    keys: {
      'token-file': maybe(
        path,
        'File with the token that `/metrics` asks for (`Authorization: Bearer …`). Without it nobody is answered, unless `local` is set. Read again on SIGHUP.',
      ),
      local: key(
        flag,
        false,
        'Answers this machine without a token. Only where no reverse proxy runs: one that adds no headers looks like this machine.',
      ),
    },
  },
  limits: {
    about: 'What bounds the work of the server. Beyond them it answers 503 with Retry-After.',
    keys: {
      'max-file-size': key(
        size,
        '1GiB',
        'Largest distribution file. Indexes and projects can have smaller limits.',
      ),
      'max-uploads': key(many(10_000), 64, 'Uploads received at a time.'),
      'max-requests': key(
        many(1_000_000),
        1_024,
        'Requests under way at a time that need the disk or the database. Pages in memory are always answered.',
      ),
      'max-delay': key(
        duration,
        '2s',
        'When the server falls behind by more than this, requests that need the disk or the database are refused until it has caught up.',
      ),
      'publication-timeout': key(duration, '30s', 'How long an upload waits for its signatures.'),
      'idle-timeout': key(duration, '60s', 'An upload without a byte for so long is given up.'),
      'shutdown-timeout': key(
        duration,
        '35s',
        'How long requests under way get to end when the server stops.',
      ),
      'cache-size': key(size, '128MiB', 'Memory for pages, metadata and small files.'),
    },
  },
  access: {
    about: 'Who may read an index that is made from now on; `rind access` changes it for one that exists.',
    keys: {
      read: key(
        oneOf('open', 'token'),
        'open',
        '`open`: everybody. `token`: only who has a token or a password. Counts for the index that the first start makes.',
      ),
    },
  },
  uploads: {
    about:
      'What indexes of this server do with uploads when they were told nothing else (`rind index settings`). A key that is not set means what the kind of the index says.',
    keys: {
      kind: key(
        oneOf('private', 'public'),
        'private',
        'Decides what everything that is not set means: `private` suits a team, `public` is as strict as PyPI.',
      ),
      'local-versions': maybe(flag, 'Versions such as `1.0+internal.3`.'),
      'direct-references': maybe(
        flag,
        'Dependencies such as `pip @ https://…`, which installers fetch past the index.',
      ),
      'withdrawn-metadata': maybe(flag, 'Metadata 2.0.'),
      'linux-wheels': maybe(
        flag,
        'Wheels for `linux_x86_64` and the like, which run where they were built only.',
      ),
      'legacy-filenames': maybe(flag, 'Filenames spelt otherwise than PEP 625 demands.'),
      'deprecated-classifiers': maybe(flag, 'Withdrawn classifiers, and those that begin with `Private ::`.'),
      'unknown-classifiers': maybe(flag, "Classifiers that are not in PyPI's list; mostly misspelt ones."),
      'standard-library-names': maybe(flag, 'New projects named like a module of the standard library.'),
      'look-alike-names': maybe(flag, 'New projects whose name looks like that of another one.'),
      'prohibited-names': maybe(
        names,
        'Names nobody may register; `acme-*` stands for every name that begins so.',
      ),
      'prohibited-scripts': maybe(
        names,
        'Commands that no wheel may put on the path, but that of the project of the same name; `*` as above.',
      ),
      'release-days': maybe(
        many(100_000),
        'Days after its first file in which files are added to a release.',
      ),
      'max-file-size': maybe(size, 'Largest file.'),
      'max-project-size': maybe(size, 'All files of a project.'),
      'max-project-files': maybe(many(), 'Number of files of a project.'),
      'max-release-files': maybe(many(), 'Number of files of a release.'),
      'max-index-size': maybe(size, 'All files of an index.'),
    },
  },
  retention: {
    about:
      'Which releases an index throws away that was told nothing else (`rind index set`), when retention is applied ([the life of a project](projects.md)). Not set: nothing.',
    keys: {
      'keep-releases': maybe(many(1_000_000), 'So many of the highest releases stay.'),
      'pre-release-days': maybe(many(36_500), 'Pre-releases go when their youngest file is older.'),
      'dev-release-days': maybe(many(36_500), 'Development builds go when their youngest file is older.'),
      'keep-dev-releases': maybe(
        many(1_000_000),
        'So many of the newest development builds of each coming release stay.',
      ),
    },
  },
  rates: {
    about: 'How often somebody may ask. Pages and files of an open index are not counted.',
    keys: {
      'known-per-second': key(rate, 200, 'Requests with credentials, per token or user, in the long run.'),
      'known-burst': key(many(), 2_000, 'The same at once after a pause.'),
      'unknown-per-second': key(
        rate,
        10,
        'Requests of the API without credentials or with a token that does not exist, and identity tokens, per address.',
      ),
      'unknown-burst': key(many(), 100, 'The same at once after a pause.'),
      'failed-logins': key(
        many(),
        5,
        'Failed logins of one user from one address before the next has to wait.',
      ),
      'failed-logins-address': key(many(), 30, 'Failed logins from one address.'),
      'failed-logins-user': key(many(), 200, 'Failed logins of one user.'),
      'longest-wait': key(duration, '300s', 'Longest wait after failed logins.'),
      'forgiven-in': key(duration, '6h', 'As many failed logins as are free are forgiven in this time.'),
      remembered: key(many(10_000_000), 20_000, 'Tokens, users and addresses remembered.'),
    },
  },
  gc: {
    about: 'What clean-up keeps ([expiry, clean-up and fsck](operations/expiry.md)).',
    keys: {
      'grace-period': key(
        duration,
        '1h',
        'What was public during this time stays; longer than any install takes.',
      ),
      snapshots: key(many(1_000_000), 10, 'So many snapshots stay, however old.'),
      'removed-files': key(duration, '24h', 'A deleted file stays on the disk for so long.'),
      interval: key(duration, '15m', 'Between two clean-ups.'),
    },
  },
  expiry: {
    about:
      'How long signatures of the online keys last, and at which age they are made anew. Not set: what the profile of the index says. Set lifetime and renewal together; renewal is at most half of the lifetime.',
    keys: {
      'timestamp-lifetime': maybe(duration, 'timestamp: how long a client may be held on an old state.'),
      'timestamp-renewal': maybe(duration, 'timestamp: age at which it is signed anew.'),
      'snapshot-lifetime': maybe(duration, 'snapshot.'),
      'snapshot-renewal': maybe(duration, 'snapshot.'),
      'bins-lifetime': maybe(duration, 'bin-n and recently-claimed.'),
      'bins-renewal': maybe(duration, 'bin-n and recently-claimed.'),
    },
  },
  archive: {
    about: 'An archive of all metadata and target hashes ([evidence](operations/evidence.md)).',
    keys: { folder: maybe(path, 'It is kept there and grows daily; best on another machine.') },
  },
  heads: {
    about:
      'Where the heads of the public log are kept that this server cannot take back ([evidence](operations/evidence.md)).',
    keys: {
      files: key(paths, [], 'Files they are appended to.'),
      webhook: maybe(url, 'They are posted there; `/api/v1/witness` of another rind keeps them.', true),
      bucket: maybe(bucket, 'A bucket with object lock, `s3://BUCKET/PREFIX`: an object for each.'),
      'bucket-retention': key(duration, '3650d', 'How long nobody can take them out of the bucket.'),
    },
  },
  reminders: {
    about: 'Renewals and signing windows that need people.',
    keys: { webhook: maybe(url, 'They are posted there as JSON with `text` and `urgency`.', true) },
  },
  publishing: {
    about: 'Trusted publishing ([how it works](trusted-publishing.md)).',
    keys: {
      'trusted-root': maybe(
        path,
        "Sigstore's `trusted_root.json`, by which attestations (PEP 740) are verified at upload. Without it uploads with attestations are refused.",
      ),
      issuers: key(
        issuers,
        [
          { url: 'https://token.actions.githubusercontent.com', kind: 'github' },
          { url: 'https://gitlab.com', kind: 'gitlab' },
        ],
        'Who vouches for workflows.',
      ),
      audience: maybe(text, 'What identity tokens must be made for; the public URL when not set.'),
      'token-lifetime': key(duration, '15m', 'How long an upload token lives.'),
      'clock-skew': key(duration, '60s', 'By how much clocks may differ.'),
      'longest-identity': key(duration, '24h', 'How long an identity token may be valid for at most.'),
    },
  },
} as const satisfies Readonly<Record<string, Section>>;

type Sections = typeof SECTIONS;
type ValueOf<SomeKey> = SomeKey extends { readonly value?: infer Value } ? Exclude<Value, undefined> : never;
type MayBeUnset<SomeKey> =
  SomeKey extends Key<infer Value> ? (undefined extends Value ? undefined : never) : never;

/** The settings, complete: durations in milliseconds, sizes in bytes. */
export type Settings = {
  readonly [Name in keyof Sections]: {
    readonly [Word in keyof Sections[Name]['keys']]:
      ValueOf<Sections[Name]['keys'][Word]> | MayBeUnset<Sections[Name]['keys'][Word]>;
  };
};
