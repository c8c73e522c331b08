"""Makes a TUF repository as others do: root offline with a threshold of two, everything else signed by one online key.

usage: foreign_repository.py FOLDER bins|flat

bins: RSTUF's layout, targets delegate to succinct hash bins named bins-N. flat: all targets in the role targets, under the second root.
FOLDER/site is served (metadata/ and the files), FOLDER/root-1.pem and root-2.pem are the keys of root.
"""

import hashlib
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import (
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

EXPIRES = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=300)
FILES = {
    "top.txt": ["sha256"],
    "demo/demo-1.0.tar.gz": ["sha256", "sha512"],
    "packages/demo/demo-1.0-py3-none-any.whl": ["sha256"],
    "blake/only.bin": ["blake2b-256"],
    "blake/lost.bin": ["blake2b-256"],
}


def new_signer(path: Path | None = None) -> CryptoSigner:
    private = Ed25519PrivateKey.generate()
    if path is not None:
        path.touch(mode=0o600)
        path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return CryptoSigner(private, SSlibKey.from_crypto(private.public_key()))


def digest(algorithm: str, data: bytes) -> str:
    if algorithm == "blake2b-256":
        return hashlib.blake2b(data, digest_size=32).hexdigest()
    return hashlib.new(algorithm, data).hexdigest()


def main(folder: str, layout: str) -> None:
    base = Path(folder)
    site = base / "site"
    (site / "metadata").mkdir(parents=True)

    def write(name: str, signed: object, *signers: CryptoSigner) -> None:
        metadata = Metadata(signed)
        for signer in signers:
            metadata.sign(signer, append=True)
        metadata.to_file(str(site / "metadata" / name))

    roots = [new_signer(base / f"root-{number}.pem") for number in (1, 2)]
    online = new_signer()
    root = Root(expires=EXPIRES, consistent_snapshot=True)
    for signer in roots:
        root.add_key(signer.public_key, "root")
    for role in ("timestamp", "snapshot", "targets"):
        root.add_key(online.public_key, role)
    root.roles["root"].threshold = 2
    write("1.root.json", root, *roots)
    if layout == "flat":
        root.version = 2
        write("2.root.json", root, *roots)

    targets = Targets(version=5, expires=EXPIRES)
    names = SuccinctRoles([online.public_key.keyid], 1, 2, "bins")
    bins = {name: Targets(version=3, expires=EXPIRES) for name in names.get_roles()} if layout == "bins" else {}
    if bins:
        targets.delegations = Delegations({online.public_key.keyid: online.public_key}, roles=None, succinct_roles=names)
    for path, algorithms in FILES.items():
        data = f"the bytes of {path}".encode()
        hashes = {algorithm: digest(algorithm, data) for algorithm in algorithms}
        role = bins[names.get_role_for_target(path)] if bins else targets
        role.targets[path] = TargetFile(len(data), hashes, path)
        if "lost" in path:
            continue
        for value in hashes.values():
            place = site / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.with_name(f"{value}.{place.name}").write_bytes(data)

    snapshot = Snapshot(version=41, expires=EXPIRES)
    snapshot.meta["targets.json"] = MetaFile(5)
    write("5.targets.json", targets, online)
    for name, role in bins.items():
        snapshot.meta[f"{name}.json"] = MetaFile(3)
        write(f"3.{name}.json", role, online)
    write("41.snapshot.json", snapshot, online)
    write("timestamp.json", Timestamp(version=977, expires=EXPIRES, snapshot_meta=MetaFile(41)), online)


if __name__ == "__main__":
    main(*sys.argv[1:])
