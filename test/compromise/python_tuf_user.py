"""A user of python-tuf's ngclient who keeps her folder. Each line of standard input is one session, answered with one line.

{"folder", "url", "root": base64, "now", "path"} -> {"content": text or null} or {"refused": what python-tuf calls it}
"""

import base64
import json
import sys
from datetime import datetime, timezone
from pathlib import Path

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.ngclient import Updater


def session(folder, url, root, now, path):
    metadata_dir = Path(folder) / "metadata"
    target_dir = Path(folder) / "targets"
    metadata_dir.mkdir(parents=True, exist_ok=True)
    target_dir.mkdir(exist_ok=True)
    try:
        updater = Updater(
            metadata_dir=str(metadata_dir),
            metadata_base_url=url + "metadata/",
            target_dir=str(target_dir),
            target_base_url=url,
            bootstrap=base64.b64decode(root),
        )
        # The moment that the session takes from the clock when it begins.
        updater._trusted_set.reference_time = datetime.fromisoformat(now).astimezone(timezone.utc)
        updater.refresh()
        info = updater.get_targetinfo(path)
        if info is None:
            return {"content": None}
        return {"content": Path(updater.download_target(info)).read_text()}
    except (RepositoryError, DownloadError) as error:
        return {"refused": type(error).__name__}


for line in sys.stdin:
    print(json.dumps(session(**json.loads(line))), flush=True)
