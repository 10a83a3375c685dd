"""hf_xet in a process of its own: `upload ENDPOINT PATH...` or `download ENDPOINT HASH:SIZE:PATH...`."""

from __future__ import annotations

import sys
import time
import warnings

import hf_xet

warnings.simplefilter(
    "ignore", DeprecationWarning
)  # the plain functions serve here; sessions bring nothing more

TOKEN = ("token", int(time.time()) + 3600)


def main(verb: str, endpoint: str, *arguments: str) -> None:
    if verb == "upload":
        for info in hf_xet.upload_files(list(arguments), endpoint, TOKEN, lambda: TOKEN, None, "model"):
            print(info.hash, info.filesize)
        return
    wanted = [argument.split(":") for argument in arguments]
    files = [hf_xet.PyXetDownloadInfo(path, name, int(size)) for name, size, path in wanted]
    hf_xet.download_files(files, endpoint, TOKEN, lambda: TOKEN, None)


main(*sys.argv[1:])
