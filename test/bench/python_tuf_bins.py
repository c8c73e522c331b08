"""Signs bins with python-tuf as often as asked and prints the seconds it took, as JSON.

usage: python_tuf_bins.py BINS TARGETS_PER_BIN FOLDER
"""

import hashlib
import json
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, TargetFile, Targets


def main(bins: int, targets: int, folder: str) -> None:
    signer = CryptoSigner.generate_ed25519()
    expires = datetime.now(timezone.utc) + timedelta(days=1)
    seconds = processor = 0.0
    for number in range(bins):
        rows = []
        for index in range(targets):
            digest = hashlib.sha256(f"target {number} {index}".encode()).hexdigest()
            project = f"project-{digest[:6]}"
            rows.append((f"packages/{project}/project_{digest[:6]}-1.{index}.0-py3-none-any.whl", 10_000 + index, digest))
        began, used = time.perf_counter(), time.process_time()
        files = {path: TargetFile(length, {"sha256": digest}, path) for path, length, digest in rows}
        metadata = Metadata(Targets(version=1, expires=expires, targets=files))
        metadata.sign(signer)
        (Path(folder) / f"1.bin-{number:04x}.json").write_bytes(metadata.to_bytes())
        seconds += time.perf_counter() - began
        processor += time.process_time() - used
    print(json.dumps({"seconds": seconds, "processor": processor}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
