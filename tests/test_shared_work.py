"""Parts on a stand-in for Ray, which answers at once; the real one is in test_prepare.py."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from mamtra.errors import CorpusError, MissingExtraError
from mamtra.workers import by_ray

PARTS = [(f"part-{number:05d}", []) for number in range(5)]


class RayError(Exception):
    """As ray.exceptions.RayError."""


class RayTaskError(RayError):
    """As ray.exceptions.RayTaskError."""

    def __init__(self, cause):
        super().__init__(str(cause))
        self.cause = cause


class StandIn(ModuleType):
    """The few functions of Ray that are used."""

    def __init__(self, begun=False, lost=False):
        super().__init__("ray")
        self.begun, self.lost, self.told, self.most = begun, lost, [], 0
        self.exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def is_initialized(self):
        return self.begun

    def init(self, **options):
        self.told.append(("init", options))

    def shutdown(self):
        self.told.append(("shutdown", {}))

    def remote(self, num_cpus):
        assert num_cpus == 1
        return lambda function: SimpleNamespace(remote=lambda *given: (function, given))

    def wait(self, running):
        self.most = max(self.most, len(running))
        return running[-1:], running[:-1]

    def get(self, done):
        if self.lost:
            raise RayError("a node died")
        try:
            return [function(*given) for function, given in done]
        except Exception as cause:
            raise RayTaskError(cause) from cause


@pytest.fixture
def ray(monkeypatch):
    def install(**given):
        stand_in = StandIn(**given)
        monkeypatch.setitem(sys.modules, "ray", stand_in)
        monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        return stand_in

    return install


def work(name, recordings):
    return {"name": name}


def test_every_part_is_worked_on_and_never_more_at_once_than_asked_for(ray):
    stand_in = ray()
    names = {receipt["name"] for receipt in by_ray(work, PARTS, 2)}
    assert names == {name for name, _ in PARTS}
    assert stand_in.most == 2
    options = {"include_dashboard": False, "log_to_driver": False}
    assert stand_in.told == [("init", options), ("shutdown", {})]


def test_a_cluster_of_the_caller_is_left_as_it_is(ray):
    stand_in = ray(begun=True)
    assert len(list(by_ray(work, PARTS, 2))) == 5
    assert stand_in.told == []


@pytest.mark.parametrize(
    ("raised", "seen", "message"),
    [
        (MissingExtraError("no package"), MissingExtraError, "no package"),
        (CorpusError("cannot write"), CorpusError, "cannot write"),
        (ImportError("no mamtra there"), CorpusError, "no mamtra there.*what was finished is kept"),
    ],
)
def test_what_a_worker_raises_is_told_and_the_cluster_stopped(ray, raised, seen, message):
    def failing(name, recordings):
        raise raised

    stand_in = ray()
    with pytest.raises(seen, match=message):
        list(by_ray(failing, PARTS, 2))
    assert stand_in.told[-1][0] == "shutdown"


def test_a_lost_node_and_an_unreachable_cluster_are_told(ray):
    ray(lost=True)
    with pytest.raises(CorpusError, match="a node died"):
        list(by_ray(work, PARTS, 2))
    stand_in = ray()
    stand_in.init = lambda **options: 1 / 0
    with pytest.raises(CorpusError, match="cannot reach or start a Ray cluster"):
        list(by_ray(work, PARTS, 2))
