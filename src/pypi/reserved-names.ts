/** Modules of Python's standard library, 3.8 to 3.14, as normalized project names; private ones are left out. */
const STANDARD_LIBRARY: ReadonlySet<string> = new Set(
  (
    'abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit audioop ' +
    'base64 bdb binascii binhex bisect builtins bz2 cprofile calendar cgi cgitb chunk cmath cmd code ' +
    'codecs codeop collections colorsys compileall compression concurrent configparser contextlib ' +
    'contextvars copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis ' +
    'distutils doctest dummy-threading email encodings ensurepip enum errno faulthandler fcntl filecmp ' +
    'fileinput fnmatch formatter fractions ftplib functools gc genericpath getopt getpass gettext glob ' +
    'graphlib grp gzip hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect io ' +
    'ipaddress itertools json keyword lib2to3 linecache locale logging lzma macpath mailbox ' +
    'mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib nt ' +
    'ntpath nturl2path numbers opcode operator optparse os ossaudiodev parser pathlib pdb pickle ' +
    'pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd py-compile ' +
    ' pyclbr pydoc pydoc-data pyexpat queue quopri random re readline reprlib resource rlcompleter ' +
    'runpy sched secrets select selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket ' +
    'socketserver spwd sqlite3 sre-compile sre-constants sre-parse ssl stat statistics string stringprep ' +
    'struct subprocess sunau symbol symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile ' +
    'termios test textwrap this threading time timeit tkinter token tokenize tomllib trace traceback ' +
    'tracemalloc tty turtle turtledemo types typing unicodedata unittest urllib uu uuid venv warnings ' +
    'wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib ' +
    'zoneinfo'
  ).split(' '),
);

/** Names people type by mistake where a file belongs: `pip install requirements.txt`. */
const MISTAKEN: ReadonlySet<string> = new Set(['requirements-txt', 'rrequirements-txt', 'requirement-txt']);

/** Names that Windows takes for devices, in every folder. */
const DEVICE = /^(?:aux|con|nul|prn|com[0-9]|lpt[0-9])$/;

/** Why nobody should register a project name. */
export type ReservedReason = 'standard-library' | 'mistaken-file' | 'device';

/**
 * Why a normalized project name is better not given away, `undefined` when nothing speaks against it. Whether a
 * reason forbids the name is the index's policy.
 */
export function reservedReason(normalizedName: string): ReservedReason | undefined {
  if (DEVICE.test(normalizedName)) return 'device';
  if (STANDARD_LIBRARY.has(normalizedName)) return 'standard-library';
  return MISTAKEN.has(normalizedName) ? 'mistaken-file' : undefined;
}
