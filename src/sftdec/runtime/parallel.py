"""Where many equal jobs run: in this process, in processes of this machine, or on a dask cluster."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, Protocol, TypeVar

from joblib import Parallel, delayed, parallel_config

from sftdec.runtime.errors import DataError
from sftdec.runtime.extras import needs_extra
from sftdec.runtime.memory import keep_freed_memory

Backend = Literal["joblib", "dask"]
Result = TypeVar("Result")
CONNECT = 10  # seconds to find a cluster's scheduler, and its first worker


class Run(Protocol):
    """Calls a function once for each tuple of arguments; gives its results in that order, as they come."""

    def __call__(self, function: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Result]:
        """Run them; ``function`` is one that another process can import."""


def run_here(function: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Result]:
    """One job after another, in this process."""
    return (_run_job(function, each) for each in arguments)


def _run_parallel(function: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Result]:
    jobs = (delayed(_run_job)(function, each) for each in arguments)
    results: Iterator[Result] = Parallel(return_as="generator")(jobs)
    return results


def _run_job(function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
    keep_freed_memory()
    return function(*arguments)


@contextmanager
def compute(backend: Backend = "joblib", address: str | None = None, processes: int = 1) -> Iterator[Run]:
    """Open the place where jobs run; inside the block they are run by what this gives.

    ``joblib``: in ``processes`` processes of this machine; -1 takes every core, 1 stays in this process. ``dask``: on
    the cluster whose scheduler is at ``address`` (such as ``tcp://host:8786``), on all its workers; each needs this
    package and sees the same files under the same names. Few jobs are on their way at a time, so that memory doesn't
    grow with their number. The first job that fails ends the rest, and its error is raised here.

    Raises:
        DataError: processes that make no sense, an unknown backend, no address, or a cluster that doesn't answer or has
            no worker.
        MissingExtraError: the extra ``cluster`` isn't installed.
    """
    with ExitStack() as stack:
        if backend == "dask":
            client = stack.enter_context(_connected(address))
            stack.enter_context(parallel_config("dask", client=client, wait_for_workers_timeout=CONNECT))
            yield _run_parallel
        elif backend != "joblib":
            raise DataError(f"compute.backend: found {backend!r}, expected joblib or dask")
        elif processes < -1 or processes == 0:
            raise DataError(f"compute.processes: found {processes}, expected 1 or more, or -1 for every core")
        elif processes == 1:
            yield run_here
        else:
            stack.enter_context(parallel_config("loky", n_jobs=processes))
            yield _run_parallel


def _connected(address: str | None) -> Any:
    """A client of a cluster with at least one worker."""
    if not address:
        raise DataError(
            "compute.backend is dask, but compute.address is empty: start `dask scheduler` and `dask worker`, and give "
            "the scheduler's address, such as tcp://host:8786"
        )
    with needs_extra("compute.backend: dask"):
        from distributed import Client
        from distributed.comm.addressing import get_address_host
    try:
        get_address_host(address)  # a client of an address that makes no sense would never be rid of
        client = Client(address, timeout=CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise DataError(
            f"compute.address={address}: no dask scheduler answers there ({error}); start `dask scheduler`, or mend "
            "the address"
        ) from error
    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError:
        client.close()  # type: ignore[no-untyped-call]
        raise DataError(
            f"compute.address={address}: the cluster has no worker; start `dask worker {address}`"
        ) from None
    return client
