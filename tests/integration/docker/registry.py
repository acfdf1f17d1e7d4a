"""A registry with one image, `tool:1`: python -I registry.py IMAGE.tar PORT. Prints a line for each request it answers.

IMAGE.tar is what `docker save` writes. https://distribution.github.io/distribution/spec/api/
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def contents(path: str) -> dict[str, tuple[str, bytes]]:
    """Path below /v2/tool/ to the type and content of what is there."""
    with tarfile.open(path) as archive:

        def read(name: str) -> bytes:
            file = archive.extractfile(name)
            assert file is not None
            return file.read()

        listed = json.loads(read("manifest.json"))[0]
        config = read(listed["Config"])
        layers = [gzip.compress(read(name), 1, mtime=0) for name in listed["Layers"]]
    blobs = {digest(blob): blob for blob in (config, *layers)}
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(config), "digest": digest(config)},
            "layers": [{"mediaType": LAYER, "size": len(layer), "digest": digest(layer)} for layer in layers],
        }
    ).encode()
    found = {f"blobs/{name}": ("application/octet-stream", blob) for name, blob in blobs.items()}
    return found | {f"manifests/{name}": (MANIFEST, manifest) for name in ("1", digest(manifest))}


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def serve(path: str, port: int) -> None:
    known = contents(path)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            tell(f"{self.command} {self.path}")
            below = self.path.removeprefix("/v2/tool/")
            kind, content = ("text/plain", b"") if self.path == "/v2/" else known.get(below, ("", b""))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Docker-Content-Digest", digest(content))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class calls it so)
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        tell("ready")
        server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
