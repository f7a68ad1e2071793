"""A HyperQueue server with two workers of one core each, until stdin ends."""

import sys
from pathlib import Path

from hyperqueue import LocalCluster
from hyperqueue.cluster import WorkerConfig

folder = Path(sys.argv[1])
with LocalCluster(server_dir=str(folder), worker_config=WorkerConfig(cores=1)) as cluster:
    cluster.start_worker(WorkerConfig(cores=1))
    (folder / "ended").mkdir()
    (folder / "ready").touch()
    sys.stdin.read()
