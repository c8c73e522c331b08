"""python-tuf's side of `npm run bench:tuf`: one JSON request per line on stdin, [elapsed, processor] milliseconds on stdout."""

import json
import resource
import sys
import time

from tuf.api.metadata import Metadata
from tuf.ngclient import Updater


class Stopwatch:
    def __init__(self):
        self.started = (time.perf_counter(), time.process_time())

    def read(self):
        return [(time.perf_counter() - self.started[0]) * 1000, (time.process_time() - self.started[1]) * 1000]


def session(request):
    """A client that knows the root: refresh and one target's information."""
    with open(request["root"], "rb") as file:
        root = file.read()
    stopwatch = Stopwatch()
    updater = Updater(request["folder"], request["url"], bootstrap=root)
    updater.refresh()
    found = updater.get_targetinfo(request["target"])
    elapsed = stopwatch.read()
    if found is None:
        raise ValueError("the target was not found")
    return elapsed


def read(request):
    """Parse and verify one file of metadata."""
    with open(request["file"], "rb") as file:
        data = file.read()
    with open(request["root"], "rb") as file:
        keys = Metadata.from_bytes(file.read()).signed.keys
    stopwatch = Stopwatch()
    metadata = Metadata.from_bytes(data)
    payload = metadata.signed_bytes
    for keyid, signature in metadata.signatures.items():
        keys[keyid].verify_signature(signature, payload)
    return stopwatch.read()


def walk(request):
    """One session that looks for many targets; answers with the peak memory in MiB instead."""
    with open(request["root"], "rb") as file:
        updater = Updater(request["folder"], request["url"], bootstrap=file.read())
    for target in request["targets"]:
        if updater.get_targetinfo(target) is None:
            raise ValueError("the target was not found")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


KINDS = {"session": session, "read": read, "walk": walk}

for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(KINDS[request["kind"]](request)), flush=True)
