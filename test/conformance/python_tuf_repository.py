"""Writes a TUF repository with python-tuf: python_tuf_repository.py FOLDER SCHEME LAYOUT

FOLDER/metadata and FOLDER/targets are what a web server serves; FOLDER/root.json is what clients are set up with. The
root is rotated once, every role is signed by two keys of two needed, and targets delegates by LAYOUT (paths,
path_hash_prefixes or succinct_roles).
"""

import hashlib
import os
import sys
from datetime import datetime, timedelta, timezone

from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

FOLDER, SCHEME, LAYOUT = sys.argv[1:]
EXPIRES = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=10)
PATHS = [f"packages/p{n}/p{n}-1.0-py3-none-any.whl" for n in range(20)] + ["packages/ünï cödé/a b+c.txt"]


def new_signer():
    if SCHEME == "ecdsa-sha2-nistp384":
        private = ec.generate_private_key(ec.SECP384R1())
        return CryptoSigner(private, SSlibKey.from_crypto(private.public_key(), scheme=SCHEME))
    if SCHEME.startswith("rsassa"):
        return CryptoSigner.generate_rsa(scheme=SCHEME)
    return {"ed25519": CryptoSigner.generate_ed25519, "ecdsa-sha2-nistp256": CryptoSigner.generate_ecdsa}[SCHEME]()


def write(name, signed, signers):
    metadata = Metadata(signed)
    for signer in signers:
        metadata.sign(signer, append=True)
    data = metadata.to_bytes(JSONSerializer())
    path = os.path.join(FOLDER, "metadata", name)
    with open(path, "wb") as file:
        file.write(data)
    return data


def meta(data, version=1):
    return MetaFile(version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})


def add_target(targets, path):
    content = f"content of {path}".encode()
    targets.targets[path] = TargetFile.from_data(path, content, ["sha256", "sha512"])
    folder, name = os.path.split(path)
    for digest in targets.targets[path].hashes.values():
        full = os.path.join(FOLDER, "targets", folder, f"{digest}.{name}")
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content)


def delegate(targets):
    """Gives targets its delegations; returns the delegated roles by name, and their signers."""
    signers = [new_signer(), new_signer()]
    keys = {signer.public_key.keyid: signer.public_key for signer in signers}
    if LAYOUT == "succinct_roles":
        bins = SuccinctRoles(list(keys), 2, 4, "bin")
        roles = {name: Targets(expires=EXPIRES) for name in bins.get_roles()}
        targets.delegations = Delegations(keys, succinct_roles=bins)
        find = bins.get_role_for_target
    elif LAYOUT == "path_hash_prefixes":
        roles = {f"bin-{n:x}": Targets(expires=EXPIRES) for n in range(8)}
        delegated = {
            name: DelegatedRole(name, list(keys), 2, False, path_hash_prefixes=[f"{2 * n:x}", f"{2 * n + 1:x}"])
            for n, name in enumerate(roles)
        }
        targets.delegations = Delegations(keys, roles=delegated)

        def find(path):
            return next(name for name, role in delegated.items() if role.is_delegated_path(path))
    else:
        roles = {"empty": Targets(expires=EXPIRES), "all": Targets(expires=EXPIRES)}
        delegated = {
            "empty": DelegatedRole("empty", list(keys), 2, False, ["packages/*/*"]),
            "all": DelegatedRole("all", list(keys), 2, True, ["nothing/*", "packages/*/*"]),
        }
        targets.delegations = Delegations(keys, roles=delegated)

        def find(_path):
            return "all"

    for path in PATHS:
        add_target(roles[find(path)], path)
    return roles, signers


def main():
    os.makedirs(os.path.join(FOLDER, "metadata"))
    os.makedirs(os.path.join(FOLDER, "targets"))
    signers = {role: [new_signer(), new_signer()] for role in ["root", "timestamp", "snapshot", "targets"]}
    root = Root(expires=EXPIRES, consistent_snapshot=True)
    for role, holders in signers.items():
        root.roles[role].threshold = 2
        for signer in holders:
            root.add_key(signer.public_key, role)
    root.unrecognized_fields["x-note"] = {"€": ["\n", "\\", '"', "\U0001f9c0", "\uffff", None, True, -1]}
    with open(os.path.join(FOLDER, "root.json"), "wb") as file:
        file.write(write("1.root.json", root, signers["root"]))

    root.version = 2
    leaving, staying = signers["root"]
    joining = new_signer()
    root.revoke_key(leaving.public_key.keyid, "root")
    root.add_key(joining.public_key, "root")
    write("2.root.json", root, [leaving, staying, joining])

    targets = Targets(expires=EXPIRES)
    roles, delegates = delegate(targets)
    snapshot = Snapshot(expires=EXPIRES)
    snapshot.meta = {f"{name}.json": meta(write(f"1.{name}.json", role, delegates)) for name, role in roles.items()}
    snapshot.meta["targets.json"] = meta(write("1.targets.json", targets, signers["targets"]))
    timestamp = Timestamp(expires=EXPIRES, snapshot_meta=meta(write("1.snapshot.json", snapshot, signers["snapshot"])))
    write("timestamp.json", timestamp, signers["timestamp"])
    print("\n".join(PATHS))


main()
