"""What is in a wheel, as JSON: `wheel.py FILE`. It does not use what packs wheels."""

import base64
import csv
import email
import hashlib
import json
import sys
import zipfile
from pathlib import Path

from packaging.utils import parse_wheel_filename

path = Path(sys.argv[1])
name, version, _, tags = parse_wheel_filename(path.name, validate_order=True)
with zipfile.ZipFile(path) as archive:
    contents = {info.filename: archive.read(info) for info in archive.infolist()}
    modes = {info.filename: oct(info.external_attr >> 16) for info in archive.infolist()}
    times = sorted({info.date_time for info in archive.infolist()})


def digest(content):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def headers(file):
    message = email.message_from_bytes(contents[f"{path.name.split('-py3')[0]}.dist-info/{file}"])
    return {key: message.get_all(key) for key in message} | {"": message.get_payload()}


[record] = [file for file in contents if file.endswith(".dist-info/RECORD")]
print(
    json.dumps(
        {
            "name": name,
            "version": str(version),
            "tags": sorted(map(str, tags)),
            "files": {file: [digest(content), str(len(content))] for file, content in contents.items()},
            "modes": modes,
            # The number by which an ELF file names its processor.
            "processors": {
                file: int.from_bytes(content[18:20], "little")
                for file, content in contents.items()
                if "/scripts/" in file
            },
            "times": times,
            "record": {file: rest for file, *rest in csv.reader(contents[record].decode().splitlines())},
            "metadata": headers("METADATA"),
            "wheel": headers("WHEEL"),
        }
    )
)
