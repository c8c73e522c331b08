"""Refreshes python-tuf's ngclient against an index and downloads targets; prints what it trusts as JSON.

usage: python_tuf_client.py FOLDER INDEX_URL ROOT_FILE TARGET...
"""

import json
import sys
import time
from pathlib import Path

from tuf.ngclient import Updater


def main(folder: str, index_url: str, root_file: str, *targets: str) -> None:
    metadata_dir = Path(folder) / "metadata"
    target_dir = Path(folder) / "targets"
    metadata_dir.mkdir(parents=True)
    target_dir.mkdir()
    started = time.process_time()
    updater = Updater(
        metadata_dir=str(metadata_dir),
        metadata_base_url=index_url + "metadata/",
        target_dir=str(target_dir),
        target_base_url=index_url,
        bootstrap=Path(root_file).read_bytes(),
    )
    updater.refresh()
    downloaded = {}
    milliseconds = {}
    for path in targets:
        info = updater.get_targetinfo(path)
        downloaded[path] = None
        if info is not None:
            local = updater.download_target(info)
            downloaded[path] = {"file": local, "length": info.length, "hashes": info.hashes}
        milliseconds[path] = (time.process_time() - started) * 1000
        started = time.process_time()
    metadata = {}
    for file in sorted(metadata_dir.rglob("*.json")):
        signed = json.loads(file.read_text())["signed"]
        metadata[file.name] = {"version": signed["version"], "expires": signed["expires"]}
    print(json.dumps({"targets": downloaded, "milliseconds": milliseconds, "metadata": metadata}))


if __name__ == "__main__":
    main(*sys.argv[1:])
