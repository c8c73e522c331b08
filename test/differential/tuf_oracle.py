"""Judges metadata as python-tuf does: one JSON request per line on stdin, one JSON answer per line on stdout.

{"world": {"id": .., "time": .., "docs": {name: base64}, "states": {name: [operation, ..]}}} makes a repository known;
{"cases": [case, ..]} answers {"answers": [answer, ..]}. Every refusal, of whatever type, is an answer.
"""

import base64
import copy
import hashlib
import json
import logging
import sys
import warnings
from datetime import datetime, timezone

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import Key, Signature
from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import DelegatedRole, Delegations
from tuf.ngclient import FetcherInterface, Updater
from tuf.ngclient._internal import trusted_metadata_set as implementation
from tuf.ngclient.config import EnvelopeType

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
WORLDS = {}


def reason(error):
    """What was wrong, without the values, which may be anything."""
    text = f"{error}: {error.__cause__}" if error.__cause__ is not None else str(error)
    return text[:160].encode("utf-8", "replace").decode()


class Recorder:
    """Loads metadata as the trusted metadata set does, and remembers the signed bytes."""

    def __init__(self):
        self.signed_bytes = None

    def __call__(self, *arguments):
        loaded = implementation._load_from_metadata(*arguments)
        self.signed_bytes = loaded[1]
        return loaded


class Session:
    """A trusted metadata set whose updates can be told apart and undone."""

    def __init__(self, trusted=None):
        self.trusted = trusted
        self.recorder = Recorder()
        if trusted is not None:
            self.trusted = copy.copy(trusted)
            self.trusted._trusted_set = dict(trusted._trusted_set)
            self.trusted._trusted_delegations = set(trusted._trusted_delegations)
            self.trusted._load_data = self.recorder

    def apply(self, world, operation):
        method, data, *arguments = operation
        data = world["docs"][data[1:]] if data.startswith("@") else base64.b64decode(data)
        try:
            if method == "create":
                self.trusted = implementation.TrustedMetadataSet(data, EnvelopeType.METADATA)
                self.trusted.reference_time = world["time"]
                self.recorder.signed_bytes = implementation._load_from_metadata(implementation.Root, data)[1]
                self.trusted._load_data = self.recorder
            elif self.trusted is None:
                raise RuntimeError("there is no trusted root")
            elif method == "snapshot":
                self.trusted.update_snapshot(data, trusted=arguments[0])
            elif method == "delegated":
                self.trusted.update_delegated_targets(data, *arguments)
            else:
                getattr(self.trusted, f"update_{method}")(data)
        except Exception as error:  # every refusal is an answer
            return [0, type(error).__name__, reason(error)]
        return [1, hashlib.sha256(self.recorder.signed_bytes).hexdigest()]


def add_world(world):
    world["docs"] = {name: base64.b64decode(data) for name, data in world["docs"].items()}
    world["time"] = datetime.fromisoformat(world["time"]).astimezone(timezone.utc)
    world["prepared"] = {}
    for name, operations in world["states"].items():
        session = Session()
        for operation in operations:
            session.apply(world, operation)
        world["prepared"][name] = session.trusted
    WORLDS[world["id"]] = world
    for old in list(WORLDS)[:-4]:
        del WORLDS[old]


def operations(world_id, state, steps, stops):
    world = WORLDS[world_id]
    session = Session(world["prepared"][state])
    answers = []
    for step in steps:
        answer = session.apply(world, step)
        answers.append(answer)
        if stops and answer[0] == 0 and answer[1] not in ("ExpiredMetadataError", "EqualVersionNumberError"):
            break
    return answers


def canonical(text):
    encoded = encode_canonical(json.loads(base64.b64decode(text).decode("utf-8"))).encode("utf-8")
    return hashlib.sha256(encoded).hexdigest()


def delegations(text, paths):
    parsed = Delegations.from_dict(json.loads(base64.b64decode(text).decode("utf-8")))
    return [[[name if isinstance(name, str) else repr(name), bool(ends)] for name, ends in parsed.get_roles_for_target(path)] for path in paths]


def patterns(pairs):
    return [DelegatedRole._is_target_in_pathpattern(path, pattern) for path, pattern in pairs]


def signature(key, sig, message):
    try:
        Key.from_dict("k", key).verify_signature(Signature("k", sig), base64.b64decode(message))
    except Exception:
        return False
    return True


class Files(FetcherInterface):
    """The files of one repository, in memory."""

    def __init__(self, files):
        self.files = files
        self.requests = []

    def _fetch(self, url):
        path = url.removeprefix("https://repository.invalid/metadata/")
        self.requests.append(path)
        if path not in self.files:
            raise DownloadHTTPError("no such file", 404)
        return iter([self.files[path]])


class MemoryUpdater(Updater):
    """python-tuf's client without a disk: every session is a first one."""

    def _load_local_metadata(self, rolename):
        raise OSError("there is no disk")

    def _persist_file(self, filename, data):
        pass

    def _persist_root(self, version, data):
        pass

    def _update_root_symlink(self):
        pass


def client(time, files, root, targets):
    """One session for each target: what it finds, and what it asked the repository for."""
    files = {name: base64.b64decode(data) for name, data in files.items()}
    answers = []
    for target in targets:
        fetcher = Files(files)
        updater = MemoryUpdater(
            "/nonexistent",
            "https://repository.invalid/metadata/",
            fetcher=fetcher,
            bootstrap=base64.b64decode(root),
        )
        updater._trusted_set.reference_time = datetime.fromisoformat(time).astimezone(timezone.utc)
        try:
            found = updater.get_targetinfo(target)
            answer = None if found is None else found.length
        except Exception:  # every refusal is an answer
            answer = "refused"
        answers.append([answer, fetcher.requests])
    return answers


KINDS = {
    "operations": operations,
    "canonical": canonical,
    "delegations": delegations,
    "patterns": patterns,
    "signature": signature,
    "client": client,
}


def answer_case(case):
    kind, *arguments = case
    try:
        return KINDS[kind](*arguments)
    except Exception as error:  # every refusal is an answer
        return {"refused": type(error).__name__, "reason": reason(error)}


def main():
    for line in sys.stdin:
        request = json.loads(line)
        if "world" in request:
            add_world(request["world"])
            continue
        answers = [answer_case(case) for case in request["cases"]]
        sys.stdout.write(json.dumps({"answers": answers}) + "\n")
        sys.stdout.flush()


main()
