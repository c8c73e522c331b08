"""A user of python-tuf who keeps her folder: refreshes against an index, downloads targets, prints their sha256 as JSON.

usage: python_tuf_follower.py FOLDER INDEX_URL ROOT_FILE TARGET...
"""

import hashlib
import json
import sys
from pathlib import Path

from tuf.ngclient import Updater


def main(folder: str, index_url: str, root_file: str, *targets: str) -> None:
    metadata_dir = Path(folder) / "metadata"
    target_dir = Path(folder) / "targets"
    first = not metadata_dir.exists()
    metadata_dir.mkdir(parents=True, exist_ok=True)
    target_dir.mkdir(exist_ok=True)
    updater = Updater(
        metadata_dir=str(metadata_dir),
        metadata_base_url=index_url + "metadata/",
        target_dir=str(target_dir),
        target_base_url=index_url,
        bootstrap=Path(root_file).read_bytes() if first else None,
    )
    updater.refresh()
    found = {}
    for path in targets:
        info = updater.get_targetinfo(path)
        if info is None:
            found[path] = None
            continue
        for old in target_dir.iterdir():
            old.unlink()
        found[path] = hashlib.sha256(Path(updater.download_target(info)).read_bytes()).hexdigest()
    root = json.loads((metadata_dir / "root.json").read_text())["signed"]["version"]
    print(json.dumps({"root": root, "targets": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
