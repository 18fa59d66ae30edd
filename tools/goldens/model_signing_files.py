#!/usr/bin/env python3
"""Writes tests/golden/model_signing: a small folder and what the model-signing package says of it.

usage: tools/goldens/model_signing_files.py [FOLDER]   (with the Python of tools/make-oracle)

FOLDER/model is signed with a key on each curve, by files and by parts of 7 bytes, and with
certificates: good ones, one that is over, one for servers, one that says nothing of its use, one of
another root. Only public keys are kept.
"""
import datetime
import pathlib
import sys
import tempfile

import model_signing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "tests/golden/model_signing")
FILES = {"a/b": "one\n", "a.b": "two\n", "a-b": "three\n", "A": "four\n", "é.txt": "five\n",
         "empty": "", "long": "0123456789" * 5}
DAY = datetime.timedelta(days=1)
NOW = datetime.datetime(2026, 1, 1)


def private_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def certificate_pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(name, key, issuer, issuer_key, end=NOW + 36500 * DAY, authority=False, usage=None):
    builder = (x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(issuer))
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(NOW - 1000 * DAY).not_valid_after(end)
               .add_extension(x509.BasicConstraints(authority, None), critical=True))
    if authority:
        builder = builder.add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def main():
    model = OUT / "model"
    for name, text in FILES.items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text(text)
    with tempfile.TemporaryDirectory() as scratch:
        write_signatures(model, pathlib.Path(scratch))


def write_signatures(model, scratch):
    for name, curve in (("p256", ec.SECP256R1()), ("p384", ec.SECP384R1()), ("p521", ec.SECP521R1())):
        key = ec.generate_private_key(curve)
        (scratch / "key").write_bytes(private_pem(key))
        (OUT / f"{name}.pub").write_bytes(public_pem(key))
        config = model_signing.signing.Config().use_elliptic_key_signer(private_key=scratch / "key")
        config.sign(model, OUT / f"{name}.sig")
        if name == "p256":
            config.set_hashing_config(model_signing.hashing.Config().use_shard_serialization(shard_size=7))
            config.sign(model, OUT / "shards.sig")
    root_key, between_key, other_key, key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(4))
    root = certificate("test root", root_key, "test root", root_key, authority=True)
    between = certificate("test between", between_key, "test root", root_key, authority=True)
    other = certificate("other root", other_key, "other root", other_key, authority=True)
    (OUT / "root.pem").write_bytes(certificate_pem(root))
    (OUT / "other_root.pem").write_bytes(certificate_pem(other))
    (scratch / "key").write_bytes(private_pem(key))
    (scratch / "between").write_bytes(certificate_pem(between))
    signing = ExtendedKeyUsageOID.CODE_SIGNING
    kinds = {"certificate": {"usage": signing}, "expired": {"usage": signing, "end": NOW - 500 * DAY},
             "server": {"usage": ExtendedKeyUsageOID.SERVER_AUTH}, "no_usage": {}}
    for name, settings in kinds.items():
        own = certificate("Signer of models", key, "test between", between_key, **settings)
        (scratch / "own").write_bytes(certificate_pem(own))
        model_signing.signing.Config().use_certificate_signer(
            private_key=scratch / "key", signing_certificate=scratch / "own",
            certificate_chain=[scratch / "between"]).sign(model, OUT / f"{name}.sig")


if __name__ == "__main__":
    main()
