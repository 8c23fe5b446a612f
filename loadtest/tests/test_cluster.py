"""What the runner sees of a cluster, and what it does to one: pure parts, and kubectl's words."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from lab import faults, samples
from lab.cluster import kept_messages, objects_for
from lab.faults import ClusterBreaker, Faults, cluster_plan, first_process, local_plan
from lab.kube import Kubectl, image_ids, ready
from lab.local import LabError
from lab.scenario import Fault, load

KUBELET = """# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="chat",namespace="n",pod="chat-7b55cf7856-gjwz7"} 0.1 1
container_cpu_usage_seconds_total{container="redis",namespace="n",pod="redis-0"} 12.5 5504232
container_cpu_usage_seconds_total{container="sentinel",namespace="n",pod="redis-0"} 0.5 5504219
container_cpu_usage_seconds_total{container="redis",namespace="other",pod="redis-0"} 9 5504232
container_memory_working_set_bytes{container="redis",namespace="n",pod="redis-0"} 4.5e+06 5504232
"""


def test_a_kubelets_figures_are_those_of_the_namespace_without_the_chats() -> None:
    found = list(samples.container_readings(KUBELET, "n", 5000.0))
    assert [one[:4] for one in found] == [
        ("redis-0", "redis", 12.5, 4.5e6),
        ("redis-0", "sentinel", 0.5, 0.0),
    ]
    assert found[0][-1] == pytest.approx(504.232)


@pytest.mark.parametrize(
    ("pod", "name"),
    [
        ("redis-2", "redis-2"),
        ("locust-worker-86f4bcd547-kq6wh", "locust-worker"),
        ("loadtest-bdlzv", "loadtest"),
    ],
)
def test_names_are_without_what_kubernetes_made_up(pod: str, name: str) -> None:
    assert samples.short_name(pod) == name


def test_a_reading_that_we_have_had_is_no_sample() -> None:
    class Stale(samples.Sampler):
        """Says the same twice, then something new, then is started again."""

        def readings(self) -> Any:
            at, cpu = times.pop(0)
            yield ("redis-0", cpu, 1e6, "", "", "", at)

    times = [(10.0, 5.0), (10.0, 5.0), (15.0, 6.0), (20.0, 0.5)]
    sampler = Stale(0.0, 1.0)
    for _ in range(4):
        sampler._sample()
    assert [row[:3] for row in sampler.rows] == [
        [10.0, "redis-0", ""],
        [15.0, "redis-0", 20.0],
        [20.0, "redis-0", 10.0],
    ]
    assert sampler.cpu_seconds == {"redis-0": 1.5}


def test_ready_is_who_stays() -> None:
    pod: dict[str, Any] = {
        "metadata": {"name": "a"},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "chat", "imageID": "host/chat@sha256:ab"}],
        },
    }
    assert ready(pod) and image_ids([pod, pod], "chat") == ["sha256:ab"]
    pod["metadata"]["deletionTimestamp"] = "now"
    assert not ready(pod) and image_ids([pod], "chat") == []


class Words(Kubectl):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(None)
        self.said: list[str] = []

    def __call__(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        self.said.append(" ".join(arguments))
        return ""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(5, "rollout"), "rollout restart deployment chat"),
        (Fault(5, "kill", 1), "delete pod b --wait=false --force --grace-period=0"),
        (Fault(5, "terminate"), "delete pod a --wait=false"),
        (Fault(5, "kill_redis"), "delete pod m --wait=false --force --grace-period=0"),
        (Fault(5, "hand_over"), "exec m -c redis -- /opt/chatapp/chat redis leave"),
    ],
)
def test_a_fault_on_a_cluster(fault: Fault, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "redis_master", lambda _: "m")
    words = Words()
    ((at, what, name),) = cluster_plan(fault, 2)
    ClusterBreaker(words, ["a", "b"], here=False).act(what, name)
    assert (at, words.said) == (5, [said])


def test_a_fault_that_cannot_be_made_is_kept_and_ends_the_plan() -> None:
    breaker = ClusterBreaker(Words(), ["a"], here=False)
    thread = Faults(breaker, [(0, "freeze", "pod-0"), (0.1, "thaw", "pod-0")], time.monotonic())
    thread.start()
    thread.join(5)
    thread.stop()
    assert thread.done == [] and "freeze pod-0" in thread.failed


def test_some_faults_are_for_one_place_only() -> None:
    with pytest.raises(LabError, match="cluster"):
        local_plan(Fault(1, "rollout"), 2)
    with pytest.raises(LabError, match="local"):
        cluster_plan(Fault(1, "cut_power"), 2)


def test_a_container_that_is_not_here_is_said() -> None:
    with pytest.raises(LabError, match="no process"):
        first_process("0123456789abcdef-no-such-container")


def test_a_namespace_is_sampled_by_pod() -> None:
    class Answers:
        """The API of a namespace with two chat pods, one of them not ready, and two workers."""

        def json(self, _path: str) -> dict[str, Any]:
            condition = [{"type": "Ready", "status": "True"}]
            return {
                "items": [
                    {"metadata": {"name": "chat-b"}, "status": {"conditions": condition}},
                    {"metadata": {"name": "chat-a"}, "status": {"conditions": []}},
                ]
            }

        def text(self, path: str) -> str:
            if path.endswith("/metrics/resource"):
                worker = KUBELET.splitlines()[2].replace("redis-0", "locust-worker-86f4bcd547-kq6w")
                return "\n".join([KUBELET, worker + "\n", worker.replace("kq6w", "kq6wh"), ""])
            return "process_cpu_seconds_total 1.5\nchat_connections 7\n"

    sampler = samples.ClusterSampler(Answers(), "n", ["node"], 0.0)  # type: ignore[arg-type]
    for _ in range(2):
        sampler._sample()
    found = [(row[1], row[4]) for row in sampler.rows]
    assert found.count(("pod-0", 7.0)) == 2 and ("redis-0/sentinel", "") in found
    assert len({what for what, _ in found}) == len(found) - 1, "stale readings are no samples"


def test_the_load_knows_how_many_messages_the_chat_keeps() -> None:
    """What is older cannot be looked up at the end: it is not proved, and not gone."""
    log = Path(__file__).resolve().parents[2] / "images/chat/internal/chat/log.go"
    said = re.search(r'name:"keep-messages" default:"(\d+)"', log.read_text(encoding="utf-8"))
    assert said
    job: Any = objects_for(load("room"))[0]
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments[arguments.index("--kept-messages") + 1] == said[1] == str(kept_messages())
    manifest = (log.parents[4] / "chatapp.yaml").read_text(encoding="utf-8")
    master = re.search(r'name: CHATLOAD_KEPT_MESSAGES, value: "(\d+)"', manifest)
    assert master and master[1] == said[1], "whoever starts a run in the web UI needs it, too"
