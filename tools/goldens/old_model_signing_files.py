#!/usr/bin/env python3
"""Writes tests/golden/model_signing/old: signatures of tests/golden/model_signing/model by versions
of model-signing that wrote other bundles than today's, with the public keys and the root.

usage: tools/goldens/old_model_signing_files.py PYTHON…

Each PYTHON has another version: `pip install model-signing==0.2.0 (0.3.1, 1.0.0, 1.0.1) pyOpenSSL
sigstore_protobuf_specs==0.3.2 "sigstore<4"`. Files are called by version and by what signs.
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests/golden/model_signing/model"
OUT = ROOT / "tests/golden/model_signing/old"

SIGN_0_2 = """
import pathlib, sys
from model_signing import model
from model_signing.hashing import file, memory
from model_signing.serialization import serialize_by_file
from model_signing.signature import pki
from model_signing.signing import in_toto, in_toto_signature
model_path, out, private, own, between = map(pathlib.Path, sys.argv[1:])
serializer = serialize_by_file.ManifestSerializer(
    file_hasher_factory=lambda path: file.SimpleFileHasher(path, memory.SHA256()))
signer = in_toto_signature.IntotoSigner(pki.PKISigner.from_path(str(private), str(own), [str(between)]))
model.sign(model_path=model_path, signer=signer, serializer=serializer, ignore_paths=[],
           payload_generator=in_toto.DigestsIntotoPayload.from_manifest).write(out / "0.2.0-certificate.sig")
"""

# Not by the commands, which ask Sigstore's servers whatever they sign with. 0.3.1 cannot sign with
# certificates: it misspells a field.
SIGN_1 = """
import pathlib, sys
from model_signing import hashing
from model_signing._signing import sign_certificate, sign_ec_key, signing
model_path, out, private, own, between = map(pathlib.Path, sys.argv[1:6])
payload = signing.Payload(hashing.Config().hash(model_path))
sign_ec_key.Signer(private).sign(payload).write(out / f"{sys.argv[6]}-key.sig")
if sys.argv[6] != "0.3.1":
    sign_certificate.Signer(private, own, [between]).sign(payload).write(out / f"{sys.argv[6]}-certificate.sig")
"""


def version_of(python):
    return subprocess.run([python, "-c", "import importlib.metadata as m; print(m.version('model-signing'))"],
                          check=True, capture_output=True, text=True).stdout.strip()


def openssl(scratch, *words):
    subprocess.run(["openssl", *words], check=True, cwd=scratch, capture_output=True)


def make_keys(scratch):
    for name in ("root", "between", "own"):
        openssl(scratch, "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", name + ".ec")
        openssl(scratch, "pkcs8", "-topk8", "-nocrypt", "-in", name + ".ec", "-out", name + ".key")
    (scratch / "authority").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    (scratch / "signer").write_text("keyUsage=digitalSignature\nextendedKeyUsage=codeSigning\n")
    openssl(scratch, "req", "-x509", "-key", "root.key", "-out", "root.pem", "-subj", "/CN=old root",
            "-days", "36500", "-addext", "keyUsage=critical,keyCertSign")
    for name, by, what in (("between", "root", "authority"), ("own", "between", "signer")):
        openssl(scratch, "req", "-new", "-key", name + ".key", "-out", name + ".csr", "-subj", f"/CN=old {name}")
        openssl(scratch, "x509", "-req", "-in", name + ".csr", "-CA", by + ".pem", "-CAkey", by + ".key",
                "-CAcreateserial", "-days", "36500", "-extfile", what, "-out", name + ".pem")
    openssl(scratch, "ec", "-in", "own.key", "-pubout", "-out", "own.pub")


def main():
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        make_keys(scratch)
        for name in ("own.pub", "root.pem"):
            (OUT / name).write_bytes((scratch / name).read_bytes())
        for python in sys.argv[1:]:
            version = version_of(python)
            if version == "0.2.0":
                subprocess.run([python, "-c", SIGN_0_2, MODEL, OUT, scratch / "own.key", scratch / "own.pem",
                                scratch / "between.pem"], check=True)
                continue
            subprocess.run([python, "-c", SIGN_1, MODEL, OUT, scratch / "own.key", scratch / "own.pem",
                            scratch / "between.pem", version], check=True)


if __name__ == "__main__":
    main()
