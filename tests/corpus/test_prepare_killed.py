"""A preparation that is really killed goes on to the same bytes as one that was left in peace."""

import multiprocessing
import os
import select
import signal
import sys

import preparations_to_kill as runs
import pytest
from mini_libritts_tree import mini_libritts

from mamtra.corpus.shards import Shards
from mamtra.errors import CorpusError

LIMIT_SECONDS = 60
PARTS = 9
WRITES = 1 + 3 * PARTS + 2  # the plan, three files a part, what was skipped, the index


@pytest.fixture(scope="module")
def processes():
    """Processes that start quickly, because torch is imported once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "preparations_to_kill"])
    return context


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return mini_libritts(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def whole(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert len(runs.run(tree, folder)) == PARTS
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def ended(process):
    process.start()
    process.join(LIMIT_SECONDS)
    return process.exitcode


def test_one_killed_while_it_hears_goes_on(processes, tree, whole, tmp_path):
    process = processes.Process(target=runs.run, args=(tree, tmp_path, runs.encoder_that_dies))
    assert ended(process) == -signal.SIGKILL
    with pytest.raises(CorpusError, match="no finished shards"):
        Shards.open(tmp_path)
    first = (tmp_path / "part-00000.json").stat().st_mtime_ns
    runs.run(tree, tmp_path)
    assert (tmp_path / "part-00000.json").stat().st_mtime_ns == first
    assert contents(tmp_path) == contents(whole)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 15, WRITES - 1, WRITES])
def test_one_killed_while_it_writes_goes_on(processes, tree, whole, tmp_path, number):
    process = processes.Process(target=runs.run_until_write, args=(tree, tmp_path, number))
    assert ended(process) == -signal.SIGKILL
    assert len(list(tmp_path.glob(".*.partial"))) == 1
    runs.run(tree, tmp_path)
    assert contents(tmp_path) == contents(whole)


def lines_of(pipe, count):
    """So many lines of a pipe, which others write sooner or later."""
    found = b""
    while found.count(b"\n") < count:
        assert select.select([pipe], [], [], LIMIT_SECONDS)[0], "nobody writes"
        found += os.read(pipe, 1000)
    return found.decode().split()


@pytest.mark.skipif(sys.platform != "linux", reason="waits for processes of others by pidfd")
def test_workers_end_with_the_process_that_started_them(processes, tree, whole, tmp_path):
    folder, name = tmp_path / "shards", tmp_path / "pipe"
    os.mkfifo(name)
    pipe = os.open(name, os.O_RDWR)
    arguments = (tree, folder, runs.encoder_that_waits, str(name), 2)
    process = processes.Process(target=runs.run, args=arguments)
    process.start()
    workers = [os.pidfd_open(int(number)) for number in lines_of(pipe, 2)]
    process.kill()
    process.join()
    for worker in workers:
        assert select.select([worker], [], [], LIMIT_SECONDS)[0], "a worker lives on"
    for opened in (pipe, *workers):
        os.close(opened)
    assert not (folder / "index.json").exists()
    assert 0 < len(list(folder.glob("part-*.json"))) < PARTS
    runs.run(tree, folder, workers=2)
    assert contents(folder) == contents(whole)
