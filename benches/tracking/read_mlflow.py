"""A local MLflow server takes the runs, shows every number, and has each run once, however often it is sent."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from mlflow.tracking import MlflowClient

siloscope, runs = sys.argv[1], Path(sys.argv[2])
store = tempfile.mkdtemp()
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
url = f"http://127.0.0.1:{port}"


def export(*more, fails=False):
    said = subprocess.run(
        [siloscope, "export", "mlflow", *more, "--url", url, "--experiment", "people in silos", "--json"],
        capture_output=True,
        text=True,
    )
    assert (said.returncode != 0) == fails, said
    print("  " + said.stderr.strip())
    return None if fails else json.loads(said.stdout)


print("before the server is there:")
export(str(runs), fails=True)
server = subprocess.Popen(
    [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    + ["--backend-store-uri", f"sqlite:///{store}/mlflow.db", "--artifacts-destination", f"{store}/artifacts"],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    cwd=store,
    start_new_session=True,
)
try:
    for _ in range(120):
        try:
            urllib.request.urlopen(url + "/health")
            break
        except OSError:
            time.sleep(1)
    folders = sorted(path for path in runs.iterdir() if (path / "report.json").exists())
    print("once, and again:")
    first, again = export(str(runs)), export(str(runs))
    assert (first["added"], first["replaced"], first["kept"]) == (len(folders), 0, 0), first
    assert (again["added"], again["replaced"], again["kept"]) == (0, 0, len(folders)), again

    client = MlflowClient(url)
    experiment = client.get_experiment_by_name("people in silos").experiment_id

    def there():
        return {run.info.run_name: run for run in client.search_runs([experiment])}

    kept = there()
    assert sorted(kept) == [folder.name for folder in folders] and len(client.search_runs([experiment])) == len(folders)
    numbers = infinite = 0
    for folder in folders:
        run, report = kept[folder.name], json.loads((folder / "report.json").read_text())
        assert run.data.tags["siloscope.plan"] == report["identity"]["plan_digest"]
        assert run.data.params["name"] == report["identity"]["name"]
        assert run.info.start_time <= run.info.end_time and run.info.status in ("FINISHED", "FAILED")
        wanted = {"utility/accuracy": [at["accuracy"] for at in report["utility"]["rounds"]]}
        for unit, key in [("record", "record"), ("subject", "subject_worst"), ("silo", "silo")]:
            wanted[f"epsilon/{unit}"] = [at[key] for at in report["promise"]["rounds"]]
        for attack in report["leak"]["attacks"]:
            wanted[f"auc/{attack['attack']}/{attack['regime']}"] = [at["auc"]["value"] for at in attack["rounds"]]
        for name, exact in wanted.items():
            history = client.get_metric_history(run.info.run_id, name)
            history = [point.value for point in sorted(history, key=lambda point: point.step)]
            assert len(history) == len(exact), (name, history, exact)
            for got, want in zip(history, exact):
                # MLflow's database holds no infinity: it keeps the largest number of 64 bits instead.
                infinite += want == "inf"
                assert got == (sys.float_info.max if want == "inf" else want), (name, got, want)
                numbers += 1
    print(f"MLflow: {numbers} numbers of {len(folders)} runs are those of report.json, {infinite} of them infinite")

    print("attacked otherwise, and sent again:")
    subprocess.run(
        [siloscope, "attack", str(folders[-1]), "--set", 'attacks=[{kind="loss-threshold"}]', "-q"], check=True
    )
    changed = export(str(runs))
    assert (changed["replaced"], changed["kept"]) == (1, len(folders) - 1), changed
    assert len(there()) == len(folders) == len(client.search_runs([experiment]))
    fewer = there()[folders[-1].name].data.metrics
    assert len(fewer) < len(kept[folders[-1].name].data.metrics)
    print("deleted there, and sent again:")
    client.delete_run(there()[folders[0].name].info.run_id)
    assert export(str(runs))["added"] == 1
    client.delete_experiment(experiment)
    print("experiment deleted there:")
    export(str(runs), fails=True)
finally:
    os.killpg(server.pid, 15)
    server.wait()
