"""Writes exports of many months with one run each: FOLDER EXPORTS MONTHS MANIFEST.

Parts hold nothing, for discovery and planning look at their sizes alone.
"""

import json
import sys
from calendar import monthrange
from pathlib import Path

folder, exports, months, manifest_path = sys.argv[1:]
manifest = json.loads(Path(manifest_path).read_text())
for export in range(int(exports)):
    name = f"export{export:03d}"
    for month in range(int(months)):
        year, number = 2016 + month // 12, month % 12 + 1
        last = monthrange(year, number)[1]
        span = f"{year}{number:02d}01-{year}{number:02d}{last:02d}"
        run_id = f"00000000-0000-4000-{export:04d}-{month:012d}"
        stem = f"billing/{name}/{span}/{year}{number:02d}{last:02d}2200/{run_id}"
        home = Path(folder, "tree", stem)
        home.mkdir(parents=True)
        names = [f"{stem}/part_{part}_0001.snappy.parquet" for part in range(2)]
        for part in names:
            Path(folder, "tree", part).write_bytes(b"PAR1")
        told = manifest | {
            "byteCount": 8,
            "blobCount": 2,
            "exportConfig": manifest["exportConfig"] | {"exportName": name},
            "runInfo": {
                "executionType": "Scheduled",
                "submittedTime": f"{year}-{number:02d}-{last:02d}T22:00:00Z",
                "runId": run_id,
                "startDate": f"{year}-{number:02d}-01T00:00:00",
                "endDate": f"{year}-{number:02d}-{last:02d}T00:00:00Z",
            },
            "blobs": [{"blobName": part, "byteCount": 4, "dataRowCount": 10} for part in names],
        }
        (home / "manifest.json").write_text(json.dumps(told))
Path(folder, "done").touch()
