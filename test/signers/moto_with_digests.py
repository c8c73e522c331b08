"""moto's server, with the one thing of AWS KMS that it lacks: MessageType DIGEST (moto hashes every message again)."""

import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.kms.responses import KmsResponse
from moto.kms.utils import ECDSAPrivateKey, RSAPrivateKey
from moto.server import main

DIGESTS = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
whole = {ECDSAPrivateKey: ECDSAPrivateKey.sign, RSAPrivateKey: RSAPrivateKey.sign}
message_type = "RAW"


def sign_ecdsa(self, message, algorithm):
    if message_type != "DIGEST":
        return whole[ECDSAPrivateKey](self, message, algorithm)
    digest = DIGESTS[algorithm[-3:]]()
    return self.private_key.sign(message, ec.ECDSA(Prehashed(digest)))


def sign_rsa(self, message, algorithm):
    if message_type != "DIGEST" or "PSS" not in algorithm:
        return whole[RSAPrivateKey](self, message, algorithm)
    digest = DIGESTS[algorithm[-3:]]()
    pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
    return self.private_key.sign(message, pss, Prehashed(digest))


def respond(self):
    global message_type
    message_type = self._get_param("MessageType", "RAW")
    return respond_sign(self)


respond_sign = KmsResponse.sign
KmsResponse.sign = respond
ECDSAPrivateKey.sign = sign_ecdsa
RSAPrivateKey.sign = sign_rsa
main(sys.argv[1:])
